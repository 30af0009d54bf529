"""Forecasts of time series: methods against brute force, no leak, units, what is odd, parts and kills."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

pytest.importorskip("tensorflow")

from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.selfsupervised.series import forecast, measuring
from jobs.selfsupervised.series.methods import choosing, method
from jobs.selfsupervised.series.methods.method import Origins, Windows
from jobs.selfsupervised.series.methods.ridge import Moments
from jobs.selfsupervised.series.methods.simplest import Last, Linear, SeasonalNaive
from jobs.selfsupervised.series.panel import Panel, Rows
from jobs.selfsupervised.series.scoring import Intervals, Sums, naive_errors
from jobs.selfsupervised.series.spec import EvaluateSeries, ForecastSeries, PointScores, TrainSeries
from jobs.selfsupervised.series.trained import WEIGHTS

Array = np.ndarray[Any, Any]
HOUR = Step(microseconds=3_600_000_000)
START = int((datetime(2024, 1, 1) - datetime(1970, 1, 1)).total_seconds() * 1e6)


def table(*series: Array, columns: tuple[str, ...] = ("a",), step: Step = HOUR, **more: Any) -> Table:
    values = np.concatenate([each.reshape(len(each), -1) for each in series]).astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in series])]).astype(np.int64)
    several = len(series) > 1
    ids = tuple(f"s{n}" for n in range(len(series))) if several else ("",)
    starts = np.full(len(series), START, np.int64)
    name = "series" if several else ""
    return Table(columns, ids, starts, offsets, values, step, Calendar("time"), name, **more)


def wave(rows: int, seed: int = 0, level: float = 0.0, size: float = 1.0) -> Array:
    noise = np.random.default_rng(seed).normal(0, 0.1, rows)
    return level + size * (np.sin(np.arange(rows) * 2 * np.pi / 24) + noise)


def write(home: Path, name: str, what: Table) -> dict[str, Path]:
    folder = home / f"data-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    what.write(folder)
    return {name: folder}


def forecast_of(
    home: Path, what: Table, trained: dict[str, Any], **asked: Any
) -> tuple[Any, list[list[str]]]:
    """The result and the rows of a forecast by a model that was trained on the table itself."""
    data = write(home, "t", what)
    run_locally(TrainSeries(dataset="t", **trained), home / "model", data)
    result = run_locally(ForecastSeries(model="model", **asked), home / "forecast", data)
    lines = (home / "forecast/artifacts/forecast.csv").read_text().splitlines()
    return result, [line.split(",") for line in lines]


def panel_of(what: Table, known_to: int | None = None, season: int = 24) -> Panel:
    lengths = np.diff(what.offsets) if known_to is None else np.full(len(what.ids), known_to)
    return Panel(what, Rows.between(what), what.columns, (), lengths, season)


def test_ridge_is_the_least_penalised_error_of_normalised_windows() -> None:
    values = wave(200)
    values[50:53] = np.nan
    panel = panel_of(table(values))
    window, horizon, penalty = 24, 6, 0.01
    places, left_out = panel.origins(np.array([window]), np.array([200]), horizon, window, whole=True)
    origins = Origins.of(panel, places)
    ridge = Moments.of(origins, window, horizon).solved(window, horizon, (penalty,))[0]

    z = (values - np.nanmean(values)) / np.nanstd(values)
    rows, targets = [], []
    for origin in range(window, 200 - horizon + 1):
        before, after = z[origin - window : origin].copy(), z[origin : origin + horizon]
        if np.isnan(after).any():
            continue
        mean, deviation = np.nanmean(before), np.nanstd(before) + 1.0
        for place in np.flatnonzero(np.isnan(before)):
            before[place] = z[origin - window + place - 24]
        rows.append((before - mean) / deviation)
        targets.append((after - mean) / deviation)
    x, y = np.array(rows), np.array(targets)
    centred, wanted = x - x.mean(axis=0), y - y.mean(axis=0)
    weights = np.linalg.solve(
        centred.T @ centred / len(x) + penalty * np.eye(window), centred.T @ wanted / len(x)
    )
    np.testing.assert_allclose(ridge.weights, weights, atol=1e-8)
    assert len(places) == len(rows)
    assert left_out == 200 - horizon - window + 1 - len(rows)


@pytest.mark.parametrize("season", [1, 6, 24])
def test_a_penalty_that_grows_with_age_is_that_of_brute_force(season: int) -> None:
    panel = panel_of(table(wave(150)))
    window, horizon, penalty = 30, 8, 0.02
    places, _ = panel.origins(np.array([window]), np.array([150]), horizon, window, whole=True)
    moments = Moments.of(Origins.of(panel, places), window, horizon)
    ridge = moments.solved_by_age(window, horizon, season, (penalty,))[0]

    windows = Windows.before(Origins.of(panel, places), window)
    x, y = windows.numbers, (windows.origins.truths(horizon) - windows.means) / windows.deviations
    centred, wanted = x - x.mean(axis=0), y - y.mean(axis=0)
    for ahead in range(horizon):
        diagonal = []
        for row in range(window):
            age = window - row
            each = penalty * (1 + age / (season if season > 1 else horizon)) ** 1.5
            apart = (age + ahead) % season
            if season > 1 and apart == 0:
                each /= 4
            elif season == 24 and apart in (1, 23):
                each /= 2
            diagonal.append(each)
        weights = np.linalg.solve(
            centred.T @ centred / len(x) + np.diag(diagonal), centred.T @ wanted[:, ahead] / len(x)
        )
        np.testing.assert_allclose(ridge.weights[:, ahead], weights, atol=1e-8)
    np.testing.assert_allclose(ridge.intercept, y.mean(axis=0) - x.mean(axis=0) @ ridge.weights, atol=1e-8)


def test_of_penalties_that_are_as_good_the_largest_is_taken() -> None:
    def largest(*errors: float) -> int:
        return choosing._largest([PointScores(mse=error, mae=0.0) for error in errors])

    assert largest(1.0, 0.9, 0.9005, 1.0) == 2
    assert largest(1.0, 0.9, 0.95) == 1
    assert largest(0.0, 0.0) == 1


def test_the_simplest_methods_do_what_their_names_say() -> None:
    panel = panel_of(table(np.arange(10.0)), season=3)
    origins = Origins.of(panel, np.array([8]))

    def units(points: Array) -> list[float]:
        return [round(float(x), 6) for x in (points * panel.scales + panel.centers)[0]]

    assert units(Last("last", 4, 5).predict(origins, False)[0]) == [7, 7, 7, 7]
    assert units(Linear("linear", 4, 5).predict(origins, False)[0]) == [8, 9, 10, 11]
    seasonal = SeasonalNaive("seasonal-naive", 4, 5, season=3)
    assert units(seasonal.predict(origins, False)[0]) == [5, 6, 7, 5]


def test_figures_are_those_of_their_definitions() -> None:
    values = wave(60, level=5.0, size=3.0)
    values[50] = np.nan
    panel = panel_of(table(values), known_to=40, season=24)
    origins = Origins.of(panel, np.arange(45, 55))
    horizon = 4
    found = Last("last", horizon, 5)
    points, _ = found.predict(origins, False)
    sums, intervals = Sums.none(1, horizon), Intervals((0.1, 0.9), 1)
    truths = origins.truths(horizon)
    sums.add(panel, origins.channels, points, truths)
    quantiles = np.stack([points - 0.3, points + 0.2], axis=1)
    intervals.add(origins.channels, quantiles, truths)

    center, scale = values[:40].mean(), values[:40].std()
    z = (values - center) / scale
    last = {origin: next(v for v in values[origin - 1 :: -1] if not np.isnan(v)) for origin in range(45, 55)}
    last[51] = values[50 - 24]  # the season before stands in for what is missing
    pairs = [(o, h) for o in range(45, 55) for h in range(horizon) if not np.isnan(values[o + h])]
    errors = np.array([abs(last[o] - values[o + h]) for o, h in pairs])
    assert sums.scores().mae == pytest.approx(errors.mean() / scale)
    assert sums.scores().mse == pytest.approx(np.square(errors / scale).mean())
    both = np.array([abs(last[o]) + abs(values[o + h]) for o, h in pairs])
    assert sums.smape() == pytest.approx((200 * errors / both).mean())
    naive = np.abs(values[24:40] - values[:16]).mean()
    assert sums.mase(naive_errors(panel, np.array([40]), 24)) == pytest.approx(errors.mean() / naive)
    assert len(sums.by_step()) == horizon
    losses, inside = [], 0
    for o, h in pairs:
        low, high = (last[o] - center) / scale - 0.3, (last[o] - center) / scale + 0.2
        truth = z[o + h]
        inside += low <= truth <= high
        for level, quantile in ((0.1, low), (0.9, high)):
            losses.append(max(level * (truth - quantile), (level - 1) * (truth - quantile)))
    assert intervals.mean_pinball() == pytest.approx(np.mean(losses))
    assert intervals.coverage() == pytest.approx(inside / len(pairs))


@pytest.mark.parametrize("learner", ["ridge", "network", "seasonal-naive"])
def test_nothing_after_an_origin_changes_its_forecast(learner: str, tmp_path: Path) -> None:
    values = np.stack([wave(300, 1), wave(300, 2)], axis=1)
    values[100:105, 0] = np.nan
    trained = {"horizon": 6, "window": 24, "method": learner, "steps": 2, "width": 8, "depth": 1}
    cut = 300 - 6 * 3  # the first of four origins
    split = 300 - 60 - 30  # the training part ends here

    data = write(tmp_path, "t", table(values, columns=("a", "b")))
    run_locally(TrainSeries(dataset="t", **trained), tmp_path / "model", data)

    def rows(after: int) -> list[list[str]]:
        changed = values.copy()
        changed[after:] = np.random.default_rng(9).normal(50, 20, changed[after:].shape)
        other = write(tmp_path, f"u{after}", table(changed, columns=("a", "b")))
        asked = ForecastSeries(model="model", dataset=f"u{after}", origins=4)
        run_locally(asked, tmp_path / f"forecast-{after}", data | other)
        lines = (tmp_path / f"forecast-{after}/artifacts/forecast.csv").read_text().splitlines()
        return [line.split(",") for line in lines[1 : 1 + 6]]

    assert rows(cut) == rows(300)
    # What the training part alone decides does not change with what comes after it, either.
    later = values.copy()
    later[split:] += 1000.0
    panels = [panel_of(table(each, columns=("a", "b")), known_to=split) for each in (values, later)]
    before = [panel.filled.reshape(2, -1)[:, :split] for panel in panels]
    np.testing.assert_array_equal(*before)
    assert (panels[0].centers == panels[1].centers).all()


def test_forecasts_are_the_rows_after_the_last_one_in_the_columns_units(tmp_path: Path) -> None:
    values = np.stack([wave(300, 1, 1e12, 1e3), wave(300, 2, 0.0, 1e-12)], axis=1)
    what = table(values, columns=("large", "small"))
    result, rows = forecast_of(tmp_path, what, {"horizon": 24, "method": "ridge"})
    assert rows[0] == [
        "time",
        *("large", "large 0.1", "large 0.5", "large 0.9"),
        *("small", "small 0.1", "small 0.5", "small 0.9"),
    ]
    assert rows[1][0] == "2024-01-13 12:00:00"
    assert rows[-1][0] == "2024-01-14 11:00:00"
    assert (result.rows, result.origins, result.method) == (24, 1, "ridge")
    assert (result.first, result.last) == (rows[1][0], rows[-1][0])
    large, low, middle, high = (np.array([float(row[n]) for row in rows[1:]]) for n in range(1, 5))
    truth = 1e12 + 1e3 * np.sin(np.arange(300, 324) * 2 * np.pi / 24)
    assert np.abs(large - truth).max() < 300
    assert ((low < middle) & (middle < high)).all()
    small = np.array([float(row[5]) for row in rows[1:]])
    assert np.abs(small - 1e-12 * np.sin(np.arange(300, 324) * 2 * np.pi / 24)).max() < 0.3e-12


def test_months_end_on_their_last_days(tmp_path: Path) -> None:
    what = table(wave(120), step=Step(months=1, day=31))
    what = replace(
        what, starts=np.array([int((datetime(2015, 1, 31) - datetime(1970, 1, 1)).total_seconds() * 1e6)])
    )
    _, rows = forecast_of(tmp_path, what, {"horizon": 3, "method": "ridge"})
    assert [row[0] for row in rows[1:]] == [
        *("2025-01-31 00:00:00", "2025-02-28 00:00:00", "2025-03-31 00:00:00")
    ]


def test_a_constant_goes_on_and_what_has_no_value_stays_missing(tmp_path: Path) -> None:
    values = np.stack([np.full(200, 7.0), np.full(200, np.nan), wave(200)], axis=1)
    what = table(values, columns=("constant", "nothing", "wave"))
    result, rows = forecast_of(tmp_path, what, {"horizon": 3, "method": "ridge"})
    assert result.empty == 1
    for row in rows[1:]:
        assert float(row[1]) == pytest.approx(7.0, abs=0.5)
        assert row[5:9] == [""] * 4


def test_a_gap_at_the_end_and_one_at_the_beginning_are_forecast_over(tmp_path: Path) -> None:
    values = wave(300)
    values[:60] = values[-30:] = np.nan
    _, rows = forecast_of(tmp_path, table(values), {"horizon": 6, "method": "ridge", "window": 48})
    found = np.array([float(row[1]) for row in rows[1:]])
    assert np.abs(found - np.sin(np.arange(300, 306) * 2 * np.pi / 24)).max() < 0.6


def test_a_series_that_is_too_short_to_train_on_is_forecast_beside_long_ones(tmp_path: Path) -> None:
    what = table(wave(200), np.array([3.0, 4.0, 5.0]), wave(200, 3))
    result, rows = forecast_of(tmp_path, what, {"horizon": 4, "method": "ridge"})
    assert (result.series, result.rows, result.empty) == (3, 12, 0)
    assert rows[0][0] == "series"
    short = [row for row in rows if row[0] == "s1"]
    assert short[0][1] == "2024-01-01 03:00:00"
    assert all(1 < float(row[2]) < 7 for row in short)


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        (
            np.array([1.0, 2.0, 3.0]),
            {},
            "no row of the validation part of 't' can be forecast: .* has 3 rows",
        ),
        (np.full(200, np.nan), {}, "no column of 't' has a value in the training part"),
        (wave(200), {"window": 500}, "there is nothing to learn from in 't'"),
        (wave(200), {"since": "2030-01-01"}, "'t' has no row from 2030-01-01 to its end"),
        (wave(200), {"targets": ("b",)}, "there is no column 'b'"),
        (wave(200), {"known": ("a",)}, "all columns of 't' are known ahead"),
        (wave(200), {"validation": 3, "horizon": 4}, "no row of the validation part of 't' can be forecast"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_one_sentence(
    values: Array, more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    data = write(tmp_path, "t", table(values))
    with pytest.raises(BadInput, match=said):
        run_locally(TrainSeries(dataset="t", **{"horizon": 2, **more}), tmp_path / "model", data)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"quantiles": (0.9, 0.1)}, "'quantiles' should rise"),
        ({"targets": ("a",), "known": ("a",)}, "'a' is in 'targets' and in 'known'"),
        ({"validation": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"test": 1e300}, r"'test' should be less than or equal to 1000000000, received 1e\+300"),
        ({"validation": 1e19}, "'validation' should be less than or equal to 1000000000"),
        ({"validation": 2.5}, "'validation' should be a share below 1 or a whole number"),
        ({"since": "yesterday"}, "'since' should be a time such as"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_before_it_is_submitted(
    more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidSpec, match=said):
        TrainSeries(dataset="t", **more)


def test_what_is_known_ahead_is_used_and_has_to_be_given(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    event = (random.random(406) < 0.2).astype(float)
    values = wave(406) + 5 * event
    values[400:] = np.nan
    data = write(tmp_path, "t", table(np.stack([values, event], axis=1), columns=("sold", "event")))
    spec = TrainSeries(dataset="t", horizon=6, known=("event",), method="ridge")
    run_locally(spec, tmp_path / "model", data)
    result = run_locally(ForecastSeries(model="model"), tmp_path / "forecast", data)
    lines = (tmp_path / "forecast/artifacts/forecast.csv").read_text().splitlines()
    found = np.array([float(line.split(",")[1]) for line in lines[1:]])
    truth = np.sin(np.arange(400, 406) * 2 * np.pi / 24) + 5 * event[400:]
    assert np.abs(found - truth).max() < 2.0
    assert (result.first, result.rows) == ("2024-01-17 16:00:00", 6)
    short = table(np.stack([values, event], axis=1)[:404], columns=("sold", "event"))
    with pytest.raises(
        BadInput, match=r"'event' is known ahead, and 'u' has no value of it at 2024-01-17 20:00"
    ):
        run_locally(ForecastSeries(model="model", dataset="u"), tmp_path / "no", write(tmp_path, "u", short))


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path, "t", table(wave(200)))
    run_locally(TrainSeries(dataset="t", horizon=2, method="last"), tmp_path / "model", data)
    data |= write(tmp_path, "u", table(wave(200), columns=("b",)))
    with pytest.raises(BadInput, match="'u' has no column 'a', which the model was trained on"):
        run_locally(ForecastSeries(model="model", dataset="u"), tmp_path / "f", data)
    with pytest.raises(
        BadInput, match="the longest series of 't' has 200 rows, and 200 origins 2 rows apart"
    ):
        run_locally(ForecastSeries(model="model", origins=200), tmp_path / "g", data)


def test_a_table_of_another_step_is_refused_where_the_model_knows_its_own(tmp_path: Path) -> None:
    data = write(tmp_path, "t", table(wave(200)))
    run_locally(TrainSeries(dataset="t", horizon=2, method="ridge"), tmp_path / "model", data)
    data |= write(tmp_path, "monthly", table(wave(200), step=Step(months=1)))
    spec = ForecastSeries(model="model", dataset="monthly")
    with pytest.raises(BadInput, match=r"rows of 'monthly' are 1month apart, and those .* trained on 1h"):
        run_locally(spec, tmp_path / "refused", data)
    weights = tmp_path / "model/artifacts" / WEIGHTS
    about = json.loads(safe_open(weights, "numpy").metadata()["series"])
    assert (about.pop("step"), about.pop("errors")) == (
        {"microseconds": 3_600_000_000, "months": 0, "day": 1},
        [38],
    )
    weights.write_bytes(save(load_file(weights), {"series": json.dumps(about)}))  # as earlier versions did
    result = run_locally(spec, tmp_path / "forecast", data)
    assert (result.rows, result.remarks) == (2, ())


def test_quantiles_of_a_few_errors_are_on_both_sides_of_the_forecast() -> None:
    levels = (0.05, 0.2, 0.5, 0.9)
    errors = np.array([[0.1, 0.4], [0.7, np.nan]])
    both = sorted([0.1, 0.4, 0.7, -0.1, -0.4, -0.7])
    expected = []
    for level in levels:
        position = min(max(level * 7 - 1, 0.0), 5.0)
        below = int(position)
        above = min(below + 1, 5)
        expected.append(both[below] + (position - below) * (both[above] - both[below]))
    found = method.quantiles_of_few(errors, levels)
    np.testing.assert_allclose(found, np.repeat(np.array(expected)[:, np.newaxis], 2, axis=1), atol=1e-12)


def test_a_forecast_lies_within_its_interval_or_that_is_said(tmp_path: Path) -> None:
    # The errors of the single window of the validation part are all on one side.
    result, rows = forecast_of(tmp_path / "few", table(np.sin(np.arange(30) / 4)), {"horizon": 3})
    for row in rows[1:]:
        point, low, _, high = (float(cell) for cell in row[1:])
        assert low < point < high
    assert [remark[:41] for remark in result.remarks] == ["all intervals follow from 3 errors on the"]
    # Here they are many, and tell that what comes is higher.
    values = wave(300)
    values[200:] += np.arange(100)
    trained = {"horizon": 3, "method": "last", "validation": 60, "test": 40}
    result, rows = forecast_of(tmp_path / "many", table(values), trained)
    assert all(float(row[1]) < float(row[2]) for row in rows[1:])
    assert [remark[:41] for remark in result.remarks] == ["3 forecasts lie outside of the widest int"]


def test_a_column_whose_intervals_rest_on_no_value_is_named(tmp_path: Path) -> None:
    values = np.stack([wave(400, 1), wave(400, 2)], axis=1)
    values[250:, 1] = np.nan
    result, _ = forecast_of(tmp_path, table(values, columns=("a", "ends")), {"horizon": 3, "method": "ridge"})
    assert result.remarks == (
        "no value in the validation part: 'ends'; intervals follow from the errors in the other columns",
    )


def test_every_window_of_the_test_part_counts_once_and_in_no_other_way_by_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.stack([wave(300, 1), wave(300, 2)], axis=1)
    values[290] = np.nan
    data = write(tmp_path, "t", table(values, columns=("a", "b")))
    run_locally(TrainSeries(dataset="t", horizon=5, method="ridge", window=20), tmp_path / "model", data)
    spec = EvaluateSeries(model="model", gaps=())  # gaps are tested in test_filling
    found = run_locally(spec, tmp_path / "one", data)
    assert found.windows == 2 * (60 - 5 + 1)
    assert found.values == 2 * ((60 - 5 + 1) * 5 - 5)
    assert set(found.forecast) == {"ridge", "seasonal-naive", "linear", "last"}
    assert found.forecast["ridge"].mse < found.forecast["seasonal-naive"].mse
    assert len(found.by_step) == 5
    mean = np.mean([score.mse for score in found.by_column.values()])
    assert mean == pytest.approx(found.forecast["ridge"].mse)
    monkeypatch.setattr("jobs.selfsupervised.series.measuring.BLOCKS", 1)
    assert run_locally(spec, tmp_path / "by-block", data).forecast == found.forecast  # to the bit
    monkeypatch.setattr(method, "ROWS", 64)
    again = run_locally(spec, tmp_path / "other", data)
    assert again.forecast["ridge"].mse == pytest.approx(found.forecast["ridge"].mse, rel=1e-12)
    assert (tmp_path / "one/artifacts/by_step.png").exists()
    assert (tmp_path / "one/artifacts/forecasts.png").exists()


@pytest.mark.parametrize("learner", ["ridge", "network"])
def test_a_forecast_depends_on_its_own_window_alone_to_the_last_bit(learner: str, tmp_path: Path) -> None:
    data = write(tmp_path, "t", table(*(wave(120, n) for n in range(5))))
    spec = TrainSeries(
        dataset="t", horizon=4, window=24, method=learner, steps=2, width=8, depth=1, quantiles=(0.2, 0.8)
    )
    run_locally(spec, tmp_path / "model", data)
    from jobs.selfsupervised.series.trained import load

    with LocalContext(tmp_path / "asks", data) as context:
        found = load("model", context).method
    panel = panel_of(table(*(wave(120, n) for n in range(5))))
    places, _ = panel.origins(np.full(5, 24), np.full(5, 120), 4, 24, whole=True)
    origins = Origins.of(panel, places)
    together = found.predict(origins)
    for some in (slice(0, 1), slice(3, 300, 7), slice(100, None)):
        for all_of_them, apart in zip(together, found.predict(origins[some]), strict=True):
            np.testing.assert_array_equal(all_of_them[some], apart)
    assert Windows.before(origins[:3], 24).numbers.shape == (3, 24)


def test_what_has_no_value_in_the_test_part_has_no_error_either(tmp_path: Path) -> None:
    values = np.stack([wave(300, 1), wave(300, 2), np.full(300, np.nan)], axis=1)
    values[200:, 1] = np.nan
    values[298:, 0] = np.nan  # which no window has but as its last rows ahead
    data = write(tmp_path, "t", table(values, columns=("a", "ends", "nothing")))
    run_locally(
        TrainSeries(dataset="t", horizon=4, method="ridge", window=20, test=5), tmp_path / "model", data
    )
    found = run_locally(EvaluateSeries(model="model", gaps=()), tmp_path / "evaluation", data)
    assert found.values_by_column == {"a": found.values, "ends": 0, "nothing": 0}
    assert found.by_column == {"a": found.forecast["ridge"], "ends": None, "nothing": None}
    assert [score is None for score in found.by_step] == [False, False, False, True]
    earlier = found.model_dump()
    del earlier["values_by_column"]
    assert type(found).model_validate(earlier).by_column == found.by_column


def test_a_forecast_that_is_stopped_goes_on_and_leaves_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context_that_stops: Callable[[int | None], type[LocalContext]],
) -> None:
    monkeypatch.setattr(forecast, "BLOCK", 2)
    data = write(tmp_path, "t", table(*(wave(100, n) for n in range(9))))
    run_locally(TrainSeries(dataset="t", horizon=3, method="ridge", window=24), tmp_path / "model", data)
    spec = ForecastSeries(model="model", origins=2, output="parquet")
    run_locally(spec, tmp_path / "whole", data)
    for stops in (2, 1):
        with pytest.raises(Stopped):
            run_locally(spec, tmp_path / "stopped", data, context_that_stops(stops))
    run_locally(spec, tmp_path / "stopped", data)
    files = [tmp_path / folder / "artifacts/forecast.parquet" for folder in ("whole", "stopped")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_evaluation_that_is_stopped_goes_on_and_comes_to_the_same_figures(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context_that_stops: Callable[[int | None], type[LocalContext]],
) -> None:
    data = write(tmp_path, "t", table(*(wave(120, n) for n in range(4))))
    run_locally(TrainSeries(dataset="t", horizon=3, method="ridge", window=24), tmp_path / "model", data)
    monkeypatch.setattr(measuring, "ROWS", 8)
    monkeypatch.setattr(measuring, "BLOCKS", 1)
    spec = EvaluateSeries(model="model", gaps=(1,))
    whole = run_locally(spec, tmp_path / "whole", data)
    assert whole.windows > 5 * 8
    added, add = [], measuring.Measured.add

    def recorded(self: measuring.Measured, *given: Any) -> None:
        added.append(self.done)
        add(self, *given)

    monkeypatch.setattr(measuring.Measured, "add", recorded)
    for stops in (2, 1, 1):
        with pytest.raises(Stopped):
            run_locally(spec, tmp_path / "stopped", data, context_that_stops(stops))
    assert run_locally(spec, tmp_path / "stopped", data) == whole
    assert added == list(range(0, whole.windows, 8))  # none was computed again
    assert set(whole.filling) == set(whole.filling_coverage) == {"1"}
    assert (tmp_path / "stopped/artifacts/filled.png").exists()
    files = [tmp_path / folder / "artifacts/evaluation.json" for folder in ("whole", "stopped")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_default_is_ridge_where_a_network_is_no_better(tmp_path: Path) -> None:
    values = wave(1500)
    data = write(tmp_path, "t", table(values))
    small = {"steps": 8, "width": 8, "depth": 1, "pretrain_share": 0.0}
    spec = TrainSeries(dataset="t", horizon=4, window=24, **small)
    found = run_locally(spec, tmp_path / "model", data)
    assert found.steps > 0
    assert set(found.validation) == {"network", "ridge", "seasonal-naive", "linear", "last"}
    assert found.method == "ridge"
