"""Gaps of series: filled as brute force fills them, without a leak, with what is odd, and after stops."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.errors import InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.selfsupervised.series import fill
from jobs.selfsupervised.series.gap_filling import gaussian
from jobs.selfsupervised.series.gap_filling.filling import METHODS, Filler, decided
from jobs.selfsupervised.series.gap_filling.gaps import Gap, Gaps, hidden, sampled
from jobs.selfsupervised.series.gap_filling.gaussian import Gaussian
from jobs.selfsupervised.series.gap_filling.hiding import hidden_scores
from jobs.selfsupervised.series.gap_filling.standard import Season, Standard, Stretch
from jobs.selfsupervised.series.uses import Filled, FillSeries

Array = np.ndarray[Any, Any]
HOUR = Step(microseconds=3_600_000_000)
START = int((datetime(2024, 1, 1) - datetime(1970, 1, 1)).total_seconds() * 1e6)


def table(*series: Array, columns: tuple[str, ...] = ("a",), step: Step = HOUR) -> Table:
    values = np.concatenate([each.reshape(len(each), -1) for each in series]).astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in series])]).astype(np.int64)
    ids = tuple(f"s{n}" for n in range(len(series))) if len(series) > 1 else ("",)
    name = "series" if len(series) > 1 else ""
    starts = np.full(len(series), START, np.int64)
    return Table(columns, ids, starts, offsets, values, step, Calendar("time"), name)


def waves(rows: int, columns: int = 1, seed: int = 0) -> Array:
    """A day's wave in each column, and noise that they share in part."""
    random = np.random.default_rng(seed)
    shared = random.normal(0, 0.3, rows)
    day = np.sin(np.arange(rows) * 2 * np.pi / 24)
    return np.stack([10 + 3 * day + shared + random.normal(0, 0.1, rows) for _ in range(columns)], axis=1)


def whole(what: Table) -> Stretch:
    lengths = np.diff(what.offsets)
    return Stretch(np.zeros_like(lengths), lengths)


def filled(
    home: Path, what: Table, **asked: Any
) -> tuple[Filled, list[dict[str, str]], list[dict[str, str]]]:
    folder = home / "table"
    folder.mkdir()
    what.write(folder)
    result = run_locally(FillSeries(dataset="t", **asked), home / "job", {"t": folder})
    rows = []
    for name in ("filled", "intervals"):
        with (home / f"job/artifacts/{name}.csv").open(newline="") as file:
            rows.append(list(csv.DictReader(file)))
    return result, rows[0], rows[1]


def test_a_gaussian_is_the_conditional_mean_and_variance_of_brute_force() -> None:
    values = waves(120, 3)
    values[50:53, 1] = values[51, 2] = np.nan
    what = table(values, columns=("a", "b", "c"))
    standard = Standard.of(what, (0, 1, 2), whole(what), Season())
    mean, variance = Gaussian(standard, whole(what), 40, True).conditional(standard.deviating(0), 1, 50, 53)

    z = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    there = ~np.isnan(z)

    def covariance(one: tuple[int, int], other: tuple[int, int]) -> float:
        (row, column), (at, with_) = one, other
        pairs = [
            z[n, column] * z[n + at - row, with_]
            for n in range(120)
            if 0 <= n + at - row < 120 and there[n, column] and there[n + at - row, with_]
        ]
        found = sum(pairs) / np.sqrt(there[:, column].sum() * there[:, with_].sum())
        found *= gaussian._BELIEF if column != with_ else 1.0
        return float(found + gaussian._LEVEL * (column == 1 and with_ == 1))

    own = [(row, 1) for row in range(30, 73) if there[row, 1]]
    others = [(row, column) for column in (0, 2) for row in range(49, 54) if there[row, column]]
    seen, gap = own + others, [(row, 1) for row in (50, 51, 52)]
    among = np.array([[covariance(a, b) for b in seen] for a in seen]) + gaussian._NOISE * np.eye(len(seen))
    across = np.array([[covariance(a, b) for b in gap] for a in seen])
    weights = np.linalg.solve(among, across)
    assert mean == pytest.approx(weights.T @ np.array([z[place] for place in seen]), abs=1e-6)
    expected = [covariance(place, place) for place in gap] - (across * weights).sum(axis=0)
    assert variance == pytest.approx(expected, abs=1e-6)


def test_a_season_is_taken_off_and_put_back() -> None:
    values = waves(500, 2)
    values[77:90, 0] = np.nan
    what = table(values, columns=("a", "b"))
    for season in (Season(), Season(24), Season(24, uneven=True)):
        standard = Standard.of(what, (0, 1), whole(what), season)
        deviations = standard.deviating(0)
        back = [standard.back(0, n, standard.phases(0, 0, 500), deviations[:, n]) for n in (0, 1)]
        assert np.allclose(np.stack(back, axis=1), values, equal_nan=True)
    assert np.abs(deviations[24:48] - deviations[48:72]).max() < 4
    assert abs(np.nanmean(deviations)) < 0.1


def test_gaps_end_with_their_series() -> None:
    nan = np.nan
    what = table(np.array([1, nan, nan]), np.array([nan, 2, nan]))
    gaps = Gaps.of(what, (0,))
    assert [gaps.firsts.tolist(), gaps.ends.tolist(), gaps.series.tolist()] == [
        [1, 3, 5],
        [3, 4, 6],
        [0, 1, 1],
    ]
    assert list(gaps.within(what, 2, 4)) == [Gap(0, 0, 1, 3), Gap(1, 0, 0, 1)]


def test_a_sample_of_many_series_is_whole_series() -> None:
    what = table(*(np.arange(3.0) + 10 * n for n in range(9)))
    few = sampled(what, 3)
    assert few.ids == ("s0", "s4", "s8")
    assert [few.rows(n)[:, 0].tolist() for n in range(3)] == [[0, 1, 2], [40, 41, 42], [80, 81, 82]]
    assert sampled(what, 9) is what


def test_hidden_gaps_never_meet_and_hide_what_is_there() -> None:
    values = waves(400, 2)
    values[310:330, 1] = np.nan
    what = table(values, columns=("a", "b"))
    for length in (1, 12, 24, 300):
        turns = hidden(what, (0, 1), Stretch(np.array([200]), np.array([400])), length, 1_000)
        assert bool(turns) == (length < 300)
        for turn in turns:
            mask = np.zeros((402, 2), np.int64)
            for gap in turn:
                assert gap.first >= 200
                assert len(gap) == length
                mask[gap.first : gap.end + 1, gap.column] += 1
            assert mask.max() == 1
            assert not np.isnan(values[mask[:400] == 1]).all()


def test_no_hidden_value_and_no_later_part_has_a_say() -> None:
    values = waves(600, 3)
    what = table(values, columns=("a", "b", "c"))
    training, validation = Stretch(np.array([0]), np.array([400])), Stretch(np.array([400]), np.array([500]))
    test = Stretch(np.array([500]), np.array([600]))
    turns = hidden(what, (0, 1, 2), test, 12, 50)
    changed = values.copy()
    for gap in turns[0]:
        changed[gap.first : gap.end, gap.column] = 1e9
    other = replace(what, values=changed)
    decisions = [decided(each, (0, 1, 2), training, validation, 0.8) for each in (what, other)]
    assert decisions[0] == decisions[1]
    fillers = [Filler(each, (0, 1, 2), training, Season(24, uneven=True)) for each in (what, other)]
    for gap in turns[0]:
        for method in METHODS:
            one, two = (each.fill(each.series(0, turns[0]), gap, method) for each in fillers)
            assert np.array_equal(one, two)


def test_a_day_is_filled_far_better_than_by_a_line_and_intervals_hold_their_share() -> None:
    what = table(waves(1_400, 3), columns=("a", "b", "c"))
    ends = [np.array([rows]) for rows in (0, 800, 1_000, 1_400)]
    parts = [Stretch(first, end) for first, end in pairwise(ends)]
    found = hidden_scores(what, (0, 1, 2), parts[0], parts[1], parts[2], (1, 24))
    for length in ("1", "24"):
        scores = found.scores[length]
        assert scores["chosen"] < 0.3 * scores["linear"]
        assert scores["joint"] < 0.5 * scores["seasonal"]  # the columns share most of their noise
        assert 0.7 < found.coverage[length] < 0.9
    assert found.picture is not None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, np.nan, 3.0], ["1", "2", "3"]),  # three points: a line
        ([np.nan] * 4, ["", "", "", ""]),  # nothing to go by: it stays missing
        ([0.1, np.nan, 0.1, 0.1], ["0.1"] * 4),  # a constant
        ([np.nan, np.nan, 5.0, 6.0], ["5", "5", "5", "6"]),  # at the beginning: the nearest value
        ([5.0, 6.0, np.nan, np.nan], ["5", "6", "6", "6"]),  # at the end
    ],
)
def test_short_and_odd_series_have_an_outcome(
    tmp_path: Path, values: list[float], expected: list[str]
) -> None:
    result, rows, intervals = filled(tmp_path, table(np.array(values)))
    assert [row["a"] for row in rows] == expected
    missing = int(np.isnan(values).sum())
    assert (result.filled, result.left) == ((0, missing) if missing == len(values) else (missing, 0))
    assert [row["a filled"] for row in intervals] == [
        "true" if cell and np.isnan(value) else "false" for cell, value in zip(expected, values, strict=True)
    ]
    if values[0] == 0.1:
        assert (intervals[1]["a 0.1"], intervals[1]["a 0.9"]) == ("0.1", "0.1")


def test_values_of_every_size_are_filled_in_their_own_units(tmp_path: Path) -> None:
    values = waves(400, 2) * (1e12, 1e-12)
    truth = values.copy()
    values[200:212, 0] = values[300:306, 1] = values[:5, 1] = values[-7:, 0] = np.nan
    result, rows, intervals = filled(tmp_path, table(values, columns=("big", "small")))
    assert result.left == 0
    for column, scale in ((0, 1e12), (1, 1e-12)):
        name = ("big", "small")[column]
        found = np.array([float(row[name]) for row in rows])
        seen = ~np.isnan(values[:, column])
        assert np.array_equal(found[seen], truth[seen, column])  # what was there stays, to the last bit
        assert np.abs(found - truth[:, column]).max() < 2 * scale
        inside = [
            float(row[f"{name} 0.1"]) <= value <= float(row[f"{name} 0.9"])
            for row, value, there in zip(intervals, found, seen, strict=True)
            if not there
        ]
        assert all(inside)


def test_months_are_filled_and_counts_are_never_below_zero(tmp_path: Path) -> None:
    values = np.maximum(np.round(20 * np.sin(np.arange(120) * 2 * np.pi / 12)), 0.0)
    values[60:63] = values[67:71] = np.nan
    what = table(values, step=Step(months=1))
    result, rows, intervals = filled(tmp_path, what)
    assert result.season in (1, 12)
    assert rows[60]["time"] == "2029-01-01 00:00:00"
    assert min(float(row["a"]) for row in rows) >= 0
    assert min(float(row["a 0.1"]) for row in intervals if row["a 0.1"]) >= 0


def test_only_the_columns_asked_for_are_filled(tmp_path: Path) -> None:
    values = waves(100, 2)
    values[10:12] = np.nan
    _, rows, intervals = filled(tmp_path, table(values, columns=("a", "b")), targets=("b",), method="linear")
    assert (rows[10]["a"], rows[10]["b"] != "") == ("", True)
    assert list(intervals[0]) == ["time", "b 0.1", "b 0.9", "b filled"]


def test_a_table_to_fill_has_to_be_named() -> None:
    with pytest.raises(InvalidSpec, match="field 'dataset' is required where no 'model' is given"):
        FillSeries()


@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_a_filling_that_is_stopped_three_times_leaves_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    context_that_stops: Callable[[int], type[LocalContext]],
) -> None:
    monkeypatch.setattr(fill, "BLOCK", 16)
    values = waves(200, 2)
    values[30:60, 0] = values[100:101, 1] = values[180:, 1] = np.nan
    folder = tmp_path / "table"
    folder.mkdir()
    table(values[:90], values[90:], columns=("a", "b")).write(folder)
    spec, data = FillSeries(dataset="t", output=output), {"t": folder}
    alone = run_locally(spec, tmp_path / "alone", data)
    for count in (12, 10, 9):  # the first seven times while it chooses
        with pytest.raises(Stopped):
            run_locally(spec, tmp_path / "stopped", data, context=context_that_stops(count))
    again = run_locally(spec, tmp_path / "stopped", data)
    assert again.model_copy(update={"seconds": 0}) == alone.model_copy(update={"seconds": 0})
    for name in (f"filled.{output}", f"intervals.{output}", "filled.png"):
        files = [(tmp_path / folder / "artifacts" / name).read_bytes() for folder in ("alone", "stopped")]
        assert files[0] == files[1]
