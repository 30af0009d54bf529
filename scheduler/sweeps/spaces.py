"""What a field is searched over: a range of numbers, or some values."""

import json
import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.spec import Frozen

#: What a choice may be between: whatever a field of a spec can be.
Value = Any


class Floats(Frozen):
    """Real numbers from `low` to `high`, both included, evenly or evenly in their logarithm."""

    type: Literal["floats"] = "floats"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_range(self.low, self.high, self.log)
        return self

    def corners(self) -> list[Value]:
        """Values at its ends, which are allowed if all between them are."""
        return [self.low, self.high]

    def __str__(self) -> str:
        return f"{'log' if self.log else 'uniform'}({self.low:g},{self.high:g})"


class Integers(Frozen):
    """Whole numbers from `low` to `high`, both included, a step apart, or evenly in their logarithm."""

    type: Literal["integers"] = "integers"
    low: int
    high: int
    step: int = Field(default=1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise InvalidSpec("a range of integers takes a step or a logarithmic scale, received both")
        if (self.high - self.low) % self.step:
            raise InvalidSpec(
                f"a range of integers from {self.low} in steps of {self.step} should end at one of them, "
                f"received {self.high}"
            )
        return self

    def corners(self) -> list[Value]:
        """Values at its ends."""
        return [self.low, self.high]

    def values(self) -> list[Value]:
        """All of them."""
        return list(range(self.low, self.high + 1, self.step))

    def __str__(self) -> str:
        last = "" if self.step == 1 else f",{self.step}"
        return f"int({self.low},{self.high}{last}{',log' if self.log else ''})"


class Choice(Frozen):
    """One of some values, in no order."""

    type: Literal["choice"] = "choice"
    among: Annotated[tuple[Value, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len({json.dumps(value, sort_keys=True) for value in self.among}) != len(self.among):
            raise InvalidSpec(f"a choice should be between different values, received {list(self.among)}")
        return self

    def corners(self) -> list[Value]:
        """All values."""
        return list(self.among)

    def values(self) -> list[Value]:
        """All values."""
        return list(self.among)

    def __str__(self) -> str:
        said = (value if isinstance(value, str) else json.dumps(value) for value in self.among)
        return f"choice({','.join(said)})"


AnyRange = Floats | Integers | Choice
#: The same in a spec.
Range = Annotated[AnyRange, Field(discriminator="type")]


def uniform(low: float, high: float) -> Floats:
    """Real numbers, all as likely."""
    return Floats(low=float(low), high=float(high))


def log_uniform(low: float, high: float) -> Floats:
    """Positive real numbers, as likely from 0.001 to 0.01 as from 0.01 to 0.1."""
    return Floats(low=float(low), high=float(high), log=True)


def integers(low: int, high: int, step: int = 1, log: bool = False) -> Integers:
    """Whole numbers, both ends included."""
    return Integers(low=low, high=high, step=step, log=log)


def choice(*among: Value) -> Choice:
    """One of these values."""
    return Choice(among=among)


#: The last bracket may be missing, which is said; a text that goes on after one is a plain value.
_WRITTEN = re.compile(r"\s*(log|uniform|int|choice)\((.*\)\s*|[^)]*)", re.S)


def parse(text: str) -> AnyRange | None:
    """A range as the command line writes it: `log(1e-5,1e-2)`, `uniform(0,1)`, `int(16,64)`, `choice(a,b)`.

    Returns:
        None for a text that is none of these, so a plain value.

    Raises:
        InvalidSpec: it is one of these, and what is between the brackets does not fit.
    """
    if (found := _WRITTEN.fullmatch(text)) is None:
        return None
    kind, rest = found[1], found[2].rstrip()
    within = rest.removesuffix(")")
    inside = _split(within)
    try:
        if rest == within or not within.strip():
            raise ValueError("nothing in it, or no end")
        if kind == "choice":
            return choice(*(_value(part) for part in inside))
        if kind == "int":
            log = inside[-1] == "log"
            numbers = [int(part) for part in (inside[:-1] if log else inside)]
            if len(numbers) == 2:
                return integers(numbers[0], numbers[1], log=log)
            low, high, step = numbers
            return integers(low, high, step, log=log)
        low_, high_ = (float(part) for part in inside)
        return log_uniform(low_, high_) if kind == "log" else uniform(low_, high_)
    except (ValueError, TypeError, IndexError):
        raise InvalidSpec(
            f"range {text!r} is not understood: write log(1e-5,1e-2), uniform(0,1), int(16,64), "
            "int(16,64,16), int(1,100,log) or choice(a,b,c)"
        ) from None


def _split(text: str) -> list[str]:
    """At commas that are not within brackets or quotation marks."""
    return [part.strip() for part in re.split(r",(?![^\[\]{}]*[\]}])(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text)]


def _value(text: str) -> Value:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check_range(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidSpec(
            f"a range should rise from one finite number to another, received {low:g} to {high:g}"
        )
    if log and low <= 0:
        raise InvalidSpec(f"a logarithmic range should begin above 0, received {low:g}")
