"""The number of a result that a sweep goes by."""

import math
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from jobs.errors import InvalidSpec
from jobs.spec import JobSpec


def check_metric(kind: type[JobSpec[Any]], path: str) -> None:
    """Checks that the results of a kind have a number of this path.

    Raises:
        InvalidSpec: they have none; the text says which there are.
    """
    if path not in (known := metrics_of(kind.result_type)):
        raise InvalidSpec(
            f"sweep: the result of {kind.kind} has no number {path!r} to go by; it has "
            f"{', '.join(sorted(known))}"
        )


def metrics_of(result: type[BaseModel]) -> list[str]:
    """The paths of all numbers in a result."""
    found = []
    for name, info in result.model_fields.items():
        types = _types(info.annotation)
        if {int, float} & types:
            found.append(name)
        for inner in types:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found += [f"{name}.{each}" for each in metrics_of(inner)]
    return found


def metric_in(result: Mapping[str, Any], path: str) -> float | None:
    """The number of a path in a result as JSON; None if it has none, or one that is not finite."""
    value: Any = result
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None


def _types(annotation: Any) -> set[Any]:
    inside = get_args(annotation)
    return {annotation} if not inside else {one for each in inside for one in _types(each)}
