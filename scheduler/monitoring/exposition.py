"""Prometheus's text format, version 0.0.4.

Written here rather than with `prometheus_client`: what is counted lies in Redis and outlives every process,
so nothing of that library but its printing would be used, and a laptop that only submits would install it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: (the name's ending, labels, value).
Sample = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True)
class Family:
    """All values of one name."""

    name: str
    kind: str  #: gauge, counter or histogram
    about: str
    samples: list[Sample] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """One value."""
        self.samples.append(("", labels, value))

    def add_histogram(
        self, bounds: Sequence[float], counts: Sequence[float], total: float, **labels: str
    ) -> None:
        """How many values lay below each bound and above the one before, those above all, and their sum."""
        below = 0.0
        for bound, count in zip((*map(_number, bounds), "+Inf"), counts, strict=True):
            below += count
            self.samples.append(("_bucket", {**labels, "le": bound}, below))
        self.samples.extend([("_sum", labels, total), ("_count", labels, below)])


def exposition(families: Iterable[Family]) -> str:
    """All of them, as a scrape gets them."""
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {_escaped(family.about)}", f"# TYPE {family.name} {family.kind}"]
        for ending, labels, value in family.samples:
            inside = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels.items())
            lines.append(f"{family.name}{ending}{f'{{{inside}}}' if inside else ''} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
