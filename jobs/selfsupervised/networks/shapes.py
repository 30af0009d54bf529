"""What arrays and shapes of images are called here."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, int, int]  #: (height, width, channels)
