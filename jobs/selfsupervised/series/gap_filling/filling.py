"""Fills in what is missing: by the best of several methods, with intervals, both chosen by hidden values."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import NormalDist
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jobs.datasets.tables.table import Table
from jobs.selfsupervised.series.gap_filling.gaps import Gap, hidden
from jobs.selfsupervised.series.gap_filling.gaussian import PIECE, Gaussian
from jobs.selfsupervised.series.gap_filling.standard import Season, Standard, Stretch
from jobs.selfsupervised.series.seasons import candidates
from jobs.selfsupervised.series.uses import FillMethod

Array = np.ndarray[Any, Any]

#: Linear interpolation; a Gaussian of the same column; one around the season; one with other columns, too.
METHODS: tuple[FillMethod, ...] = ("linear", "gaussian", "seasonal", "joint")
#: Lengths of the gaps that methods are chosen by: a gap is filled by the best for the next shorter one.
LENGTHS = (1, 4, 12, 24, 48)
#: Gaps of each length that are hidden to choose by, at least, and to find the season.
_CHOSEN_BY, _SEASON_BY = 120, 80
#: Values that are hidden in gaps of each length, at least: by 120 single ones, the share of the values within
#: an interval differs by 4 % from table to table, by chance alone.
_VALUES = 600
#: Rows that a Gaussian looks at: those of some seasons, within bounds; of the plain one, these.
_SEASONS, _LEAST_WINDOW, _MOST_WINDOW, _PLAIN_WINDOW = 3, 96, 504, 168
#: The longest season whose mean is taken.
_LONGEST_SEASON = 2_000
#: Digits that a value has, counted from the size of what its column's values differ by; of more than some,
#: rounding itself is not exact.
_DIGITS, _MOST_DIGITS = 6, 15
#: Hidden values that a width is found by, at least.
_ENOUGH = 20


@dataclass(frozen=True)
class Decision:
    """How gaps are filled.

    Attributes:
        season: around which.
        methods: by the length of the gap, at least.
        widths: of half an interval, in deviations, likewise.
    """

    season: Season
    methods: Mapping[int, FillMethod]
    widths: Mapping[int, float]

    def of(self, length: int) -> tuple[FillMethod, float]:
        """Method and width for a gap."""
        found = max((each for each in self.methods if each <= length), default=min(self.methods))
        return self.methods[found], self.widths[found]

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(
            [self.season.rows, self.season.uneven, list(self.methods.items()), list(self.widths.items())]
        )

    @classmethod
    def from_text(cls, text: str) -> "Decision":
        """What `to_text` wrote."""
        rows, uneven, methods, widths = json.loads(text)
        return cls(Season(rows, uneven), dict(methods), dict(widths))


@dataclass
class Errors:
    """Of one method on hidden gaps: errors in z-scores, and in the deviations that it expected."""

    scores: list[Array] = field(default_factory=list)
    ratios: list[Array] = field(default_factory=list)

    @property
    def mse(self) -> float:
        """Mean squared error of z-scores."""
        return float(np.mean(np.square(np.concatenate(self.scores)))) if self.scores else float("nan")

    def width(self, level: float) -> float:
        """Of half an interval that holds this share of the values, in deviations."""
        ratios = np.concatenate(self.ratios) if self.ratios else np.zeros(0)
        if len(ratios) < _ENOUGH:
            return NormalDist().inv_cdf((1 + level) / 2)
        # Split conformal: one of them more, that is to be filled, lies within it with this probability.
        rank = min(math.ceil((len(ratios) + 1) * level), len(ratios))
        return float(np.sort(ratios)[rank - 1])


class Filler:
    """Fills gaps by any of the methods, from what the rows of a part have in common.

    Args:
        table: the numbers.
        places: the columns that have a part, in its order.
        learned: the rows that are learned from.
        season: around which they are filled.
    """

    def __init__(self, table: Table, places: Sequence[int], learned: Stretch, season: Season) -> None:
        self.table = table
        self.plain = Standard.of(table, places, learned, Season())
        self._seasonal = self.plain.around(season, learned)
        longest = max(int(learned.lengths.max(initial=0)), 2)
        window = min(max(_SEASONS * season.rows, _LEAST_WINDOW), _MOST_WINDOW, longest)
        self._gaussians = {
            "gaussian": Gaussian(self.plain, learned, min(_PLAIN_WINDOW, longest), False),
            "seasonal": Gaussian(self._seasonal, learned, window, False),
            "joint": Gaussian(self._seasonal, learned, window, len(places) > 1),
        }

    def series(self, number: int, hiding: Sequence[Gap] = ()) -> "Seen":
        """A series' values, but for the gaps that are hidden."""
        numbers = self.plain.numbers(number).copy()
        for gap in hiding:
            numbers[gap.first : gap.end, gap.column] = np.nan
        return Seen(self, number, numbers)

    def fill(
        self, seen: "Seen", gap: Gap, method: FillMethod, rows: slice | None = None
    ) -> tuple[Array, Array]:
        """Means and deviations of the values in a gap, in the column's own units, float64 (rows,) each.

        They are NaN where nothing of the column was ever seen in this series.

        Args:
            seen: the series.
            gap: which.
            method: how.
            rows: of the series, those that are wanted; others may be NaN, too.
        """
        if method == "linear":
            return self._linear(seen, gap)
        wanted = rows or slice(gap.first, gap.end)
        standard = self.plain if method == "gaussian" else self._seasonal
        values = seen.deviations(standard)
        found = []
        for first in range(gap.first, gap.end, PIECE):
            end = min(first + PIECE, gap.end)
            if end <= wanted.start or first >= wanted.stop:
                found.append((np.full(end - first, np.nan),) * 2)
                continue
            means, variances = self._gaussians[method].conditional(values, gap.column, first, end)
            phases = standard.phases(gap.series, first, end)
            numbers = standard.back(gap.series, gap.column, phases, means)
            scale = standard.spreads[gap.series, gap.column] * standard.deviations[phases, gap.column]
            found.append((numbers, np.sqrt(variances) * scale))
        return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])

    def _linear(self, seen: "Seen", gap: Gap) -> tuple[Array, Array]:
        column = seen.numbers[:, gap.column]
        there = np.flatnonzero(~np.isnan(column))
        if not len(there):
            return np.full(len(gap), np.nan), np.full(len(gap), np.nan)
        numbers = np.interp(np.arange(gap.first, gap.end), there, column[there])
        return numbers, np.full(len(gap), self.plain.spreads[gap.series, gap.column])


class Seen:
    """What is seen of a series."""

    def __init__(self, filler: Filler, number: int, numbers: Array) -> None:
        self._number, self.numbers = number, numbers
        self._found: dict[int, Array] = {}

    def deviations(self, standard: Standard) -> Array:
        """Its values as a Gaussian sees them."""
        if standard.season not in self._found:
            self._found[standard.season] = standard.deviating(self._number, self.numbers)
        return self._found[standard.season]


def judged(
    filler: Filler, turns: Sequence[Sequence[Gap]], methods: Sequence[FillMethod], until: Array | None = None
) -> dict[FillMethod, Errors]:
    """The errors of methods on gaps that are hidden, those of a turn all at once.

    Args:
        filler: fills them.
        turns: gaps, sorted by their series.
        methods: which are judged.
        until: int64 (series,), the row after the last one that may be seen; None for all.
    """
    errors = {method: Errors() for method in methods}
    for series, hiding in (
        (n, list(gaps)) for turn in turns for n, gaps in groupby(turn, lambda gap: gap.series)
    ):
        truth = filler.plain.numbers(series)
        seen = filler.series(series, hiding)
        if until is not None:
            seen.numbers[until[series] :] = np.nan
        for gap in hiding:
            values, scale = truth[gap.first : gap.end, gap.column], filler.plain.scales[series, gap.column]
            for method in methods:
                means, deviations = filler.fill(seen, gap, method)
                if np.isnan(means).any():
                    continue
                errors[method].scores.append((means - values) / scale)
                expected = np.where(deviations > 0, deviations, np.inf)
                errors[method].ratios.append(np.abs(means - values) / expected)
    return errors


def decided(
    table: Table,
    places: Sequence[int],
    learned: Stretch,
    chosen_by: Stretch,
    level: float,
    method: FillMethod | None = None,
    tell: Callable[[str], None] = lambda stage: None,
) -> Decision:
    """Chooses season, methods and widths by gaps that are hidden.

    Args:
        table: the numbers.
        places: the columns.
        learned: the rows that are learned from.
        chosen_by: the rows after them, in which gaps are hidden; no other row has a part in it.
        level: share of the values that an interval is to hold.
        method: if it is not to be chosen.
        tell: called now and then with what is done.
    """
    with threadpool_limits(1):  # with more threads, other bits
        season, filler = _season(table, places, learned, chosen_by, tell)
        methods: dict[int, FillMethod] = {}
        widths: dict[int, float] = {}
        for length in LENGTHS:
            gaps = hidden(table, places, chosen_by, length, max(_CHOSEN_BY, math.ceil(_VALUES / length)))
            tell(f"choosing by {sum(map(len, gaps))} gaps of {length}")
            errors = judged(filler, gaps, (method,) if method else METHODS, chosen_by.end)
            found = {name: each.mse for name, each in errors.items() if each.scores}
            if found:
                # Of equally good ones, the first: the simplest.
                best = min(found, key=lambda name: found[name])
                methods[length], widths[length] = best, errors[best].width(level)
    if not methods:
        methods, widths = {1: method or "linear"}, {1: NormalDist().inv_cdf((1 + level) / 2)}
    return Decision(season, methods, widths)


def _season(
    table: Table,
    places: Sequence[int],
    learned: Stretch,
    chosen_by: Stretch,
    tell: Callable[[str], None],
) -> tuple[Season, Filler]:
    """The season around which gaps of its size are filled best."""
    longest = int(learned.lengths.max(initial=0))
    rows = [each for each in candidates(table.step) if 1 < each <= min(longest // 3, _LONGEST_SEASON)]
    seasons = [Season(), *(Season(each, uneven) for each in rows for uneven in (False, True))]
    fillers = {each: Filler(table, places, learned, each) for each in seasons}
    if len(seasons) == 1:
        return seasons[0], fillers[seasons[0]]
    gaps = [hidden(table, places, chosen_by, length, _SEASON_BY) for length in LENGTHS[1:3]]
    found = {}
    for season, filler in fillers.items():
        tell(f"trying a season of {season.rows}")
        errors = [judged(filler, each, ("seasonal",), chosen_by.end) for each in gaps]
        found[season] = sum(each["seasonal"].mse for each in errors if each["seasonal"].scores)
    best = min(found, key=lambda season: found[season])
    return best, fillers[best]


def values_of(
    filler: Filler, decision: Decision, seen: Seen, gap: Gap, rows: slice
) -> tuple[Array, Array, Array]:
    """Values of a gap and the ends of their intervals, of some rows at least, rounded alike everywhere."""
    method, width = decision.of(len(gap))
    means, deviations = filler.fill(seen, gap, method, rows)
    spread = float(filler.plain.spreads[gap.series, gap.column])
    least = filler.plain.least[gap.series, gap.column]
    found = (means, np.maximum(means - width * deviations, least), means + width * deviations)
    if spread == 0:
        return found  # one value alone, which is to come back as it is
    digits = _DIGITS - math.floor(math.log10(spread))
    if abs(digits) > _MOST_DIGITS:
        return found
    return tuple(np.round(each, digits) for each in found)  # type: ignore[return-value]
