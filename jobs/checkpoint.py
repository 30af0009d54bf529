"""The state from which a later attempt goes on exactly: flat named arrays in one safetensors file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a later attempt needs to go on exactly.

    Attributes:
        step: training steps done.
        arrays: every variable by a unique name: weights, optimizer slots, seed states, metrics.
        metadata: versions and whatever else is worth knowing about the file.
    """

    step: int
    arrays: Mapping[str, np.ndarray[Any, Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
