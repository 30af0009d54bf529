"""What there is to say of a forecast's intervals."""

from typing import Any

import numpy as np

from jobs.selfsupervised.series.methods.method import FEWEST_ERRORS
from jobs.selfsupervised.series.trained import Trained

Array = np.ndarray[Any, Any]

#: Columns that are named; of more, their number is said.
_NAMED = 10


def outside(numbers: Array, levels: tuple[float, ...]) -> int:
    """How many forecasts lie outside of their own widest interval, where that is to hold the middle.

    Args:
        numbers: (windows, 1 + levels, horizon), the forecast and its quantiles, rising.
        levels: of the quantiles.
    """
    if not levels[0] < 0.5 < levels[-1]:
        return 0
    points = numbers[:, 0]
    return int(np.count_nonzero((points < numbers[:, 1]) | (points > numbers[:, -1])))


def remarks_of(trained: Trained, outside: int) -> tuple[str, ...]:
    """Sentences on the intervals of a forecast: which rest on no value, or on few, or lie beside it.

    Args:
        trained: that forecast.
        outside: forecasts outside of their own widest interval.
    """
    found = []
    if trained.errors is not None:
        if silent := [name for name, count in zip(trained.columns, trained.errors, strict=True) if not count]:
            more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
            found.append(
                f"no value in the validation part: {', '.join(map(repr, silent[:_NAMED]))}{more}; intervals "
                "follow from the errors in the other columns"
            )
        if (count := sum(trained.errors)) < FEWEST_ERRORS:
            found.append(
                f"all intervals follow from {count} error{'s' * (count != 1)} on the validation part, fewer "
                f"than {FEWEST_ERRORS}: they may hold far more or less than their share"
            )
    if outside:
        found.append(
            f"{outside} forecast{'s lie' if outside > 1 else ' lies'} outside of the widest interval: most "
            "errors on the validation part were on one side"
        )
    return tuple(found)
