"""Which checkpoint of a training is the best one."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Best:
    """The checkpoint at the end of the epoch with the best value of a metric is kept besides the newest.

    Attributes:
        metric: one of the metrics that `at_epoch_end` returns.
        mode: whether a smaller ("min") or a larger ("max") value is better.
    """

    metric: str
    mode: Literal["min", "max"]

    def epoch(self, values: np.ndarray[Any, Any]) -> int | None:
        """The epoch with the best value, from 0, the first of equals; None if there is no value.

        Args:
            values: by epoch, float32 (epochs,), NaN where there is none.
        """
        if np.isnan(values).all():
            return None
        return int(np.nanargmin(values) if self.mode == "min" else np.nanargmax(values))
