"""How well gaps are filled whose values are known: hidden in the test part, one column at a time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jobs.datasets.tables.table import Table
from jobs.selfsupervised.series.gap_filling.drawing import Shown, drawn, shown_of
from jobs.selfsupervised.series.gap_filling.filling import METHODS, Decision, Filler, decided, judged
from jobs.selfsupervised.series.gap_filling.gaps import Gap, hidden
from jobs.selfsupervised.series.gap_filling.standard import Stretch

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Hidden:
    """What filling gaps of the test part has come to.

    Attributes:
        scores: mean squared error of z-scores by length and method; `chosen` is what filling takes by itself.
        coverage: share of the values within the interval, by length.
        picture: of the longest, the gap that was filled best, a middle one and the worst; None if none was.
    """

    scores: dict[str, dict[str, float]]
    coverage: dict[str, float]
    picture: bytes | None


def hidden_scores(
    table: Table,
    places: Sequence[int],
    training: Stretch,
    validation: Stretch,
    test: Stretch,
    lengths: Sequence[int],
    level: float = 0.8,
    most: int = 200,
    values: int = 1_000,
    tell: Callable[[str], None] = lambda stage: None,
) -> Hidden:
    """Hides gaps in the test part and fills them by every method.

    Args:
        table: the numbers.
        places: the columns.
        training: the rows that means, z-scores and covariances are of.
        validation: the rows after them, by which season, method and width are chosen.
        test: the rows after these, in which gaps are hidden.
        lengths: of the gaps.
        level: share of the values that an interval is to hold.
        most: gaps of each length; of short ones, more.
        values: that are hidden in gaps of each length, at least.
        tell: called now and then with what is done.
    """
    if not lengths:
        return Hidden({}, {}, None)
    decision = decided(table, places, training, validation, level, None, tell)
    filler = Filler(table, places, training, decision.season)
    scores: dict[str, dict[str, float]] = {}
    coverage: dict[str, float] = {}
    picture = None
    with threadpool_limits(1):  # with more threads, other bits
        for length in sorted(set(lengths)):
            turns = hidden(table, places, test, length, max(most, math.ceil(values / length)))
            tell(f"filling {sum(map(len, turns))} gaps of {length}")
            errors = judged(filler, turns, METHODS, test.end)
            chosen, width = decision.of(length)
            if not errors[chosen].scores:
                continue
            found: dict[str, float] = {name: each.mse for name, each in errors.items() if each.scores}
            scores[str(length)] = {**found, "chosen": found[chosen]}
            coverage[str(length)] = float(np.mean(np.concatenate(errors[chosen].ratios) <= width))
            gaps = [gap for turn in turns for gap in turn]
            if len(gaps) == len(errors[chosen].scores):
                picture = _drawn(filler, decision, gaps, errors[chosen].scores, level)
    return Hidden(scores, coverage, picture)


def _drawn(
    filler: Filler, decision: Decision, gaps: Sequence[Gap], errors: Sequence[Array], level: float
) -> bytes:
    order = np.argsort([float(np.mean(np.square(each))) for each in errors], kind="stable").tolist()
    wanted = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    shown: list[Shown] = []
    for title, number in wanted.items():
        gap = gaps[number]
        shown.append(shown_of(filler, decision, gap, filler.series(gap.series, [gap]), f"{title}: "))
    return drawn(shown, level)
