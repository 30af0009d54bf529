"""Measures forecasts from every row of the test part, beside the simplest methods."""

import json
import time

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.tables.table import Table, chosen
from jobs.errors import BadInput, Stopped
from jobs.selfsupervised.series.gap_filling.hiding import Hidden, hidden_scores
from jobs.selfsupervised.series.gap_filling.standard import Stretch
from jobs.selfsupervised.series.measuring import Measured
from jobs.selfsupervised.series.methods.choosing import simplest
from jobs.selfsupervised.series.methods.method import Array, Method, Origins
from jobs.selfsupervised.series.pictures import by_row_ahead, forecasts, scenes
from jobs.selfsupervised.series.scoring import Sums, naive_errors
from jobs.selfsupervised.series.spec import EvaluateSeries, SeriesEvaluation
from jobs.selfsupervised.series.splitting import Split
from jobs.selfsupervised.series.trained import Trained, load


def run(spec: EvaluateSeries, context: JobContext) -> SeriesEvaluation:
    """Saves `evaluation.json`, `by_step.png`, `forecasts.png` and `filled.png`.

    Raises:
        BadInput: the model is no training on series, or its table has no test part.
        Stopped: asked to stop; the windows that are done are saved.
    """
    trained = load(spec.model, context)
    table = context.table(trained.spec.dataset)
    trained.check(table, trained.spec.dataset)
    split = Split.of(trained.spec, table)
    split.panel.take_season(trained.season)
    origins, left_out = split.tested()
    if not len(origins):
        raise BadInput(
            f"no row of the test part of {trained.spec.dataset!r} can be forecast: it has "
            f"{int((split.panel.rows.lengths - split.test).max())} rows in the longest series, and the "
            f"horizon is {trained.spec.horizon}; train with a larger 'test' or a smaller 'horizon'"
        )
    methods = _methods(trained, split)
    measured = _measured(spec, context, trained, methods, origins)
    sums, intervals = measured.sums, measured.intervals
    naive = naive_errors(split.panel, split.validation, trained.season)
    filling = _filling(spec, context, trained, table, split)
    mine, count = sums[trained.name], split.panel.series
    channels = {
        name: slice(number * count, (number + 1) * count) for number, name in enumerate(split.panel.columns)
    }
    result = SeriesEvaluation(
        method=trained.name,
        windows=len(origins),
        left_out=left_out,
        values=int(mine.counts.sum()),
        forecast={name: found for name, each in sums.items() if (found := each.scores()) is not None},
        mase={name: each.mase(naive) for name, each in sums.items()},
        smape={name: each.smape() for name, each in sums.items()},
        pinball=intervals.mean_pinball(),
        pinball_units=intervals.pinball_in_units(split.panel.scales),
        coverage=intervals.coverage(),
        nominal=round(trained.spec.quantiles[-1] - trained.spec.quantiles[0], 12),
        by_column={name: mine.scores(of_it) for name, of_it in channels.items()},
        values_by_column={name: int(mine.counts[of_it].sum()) for name, of_it in channels.items()},
        by_step=tuple(mine.by_step()),
        filling=filling.scores,
        filling_coverage=filling.coverage,
    )
    steps = {
        name: np.array([np.nan if found is None else found.mse for found in each.by_step()])
        for name, each in sums.items()
    }
    context.save_artifact("by_step.png", by_row_ahead(steps, "mean squared error of z-scores"))
    drawn = scenes(split.panel, trained.method, *_best_median_worst(mine, origins))
    context.save_artifact("forecasts.png", forecasts(drawn, trained.spec.quantiles, trained.name))
    if filling.picture is not None:
        context.save_artifact("filled.png", filling.picture)
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(), indent=2).encode())
    return result


def _methods(trained: Trained, split: Split) -> dict[str, Method]:
    """The one that forecasts, and those it is measured beside."""
    found: dict[str, Method] = {trained.name: trained.method}
    if trained.ridge is not None:
        found |= {"ridge": trained.ridge}
    found |= {each.name: each for each in simplest(split, trained.method.window) if each.name not in found}
    return found


def _measured(
    spec: EvaluateSeries, context: JobContext, trained: Trained, methods: dict[str, Method], origins: Origins
) -> Measured:
    """Sums over all windows, in any number of attempts."""
    measured = Measured.begun(methods, trained.spec.quantiles, len(origins.panel.starts))
    measured.resume(context)
    saved = time.monotonic()
    while measured.done < len(origins):
        measured.add(methods, trained.name, origins)
        done = measured.done
        context.report(Progress(done, len(origins), f"window {done}/{len(origins)}"))
        reason = context.should_stop()
        due = time.monotonic() - saved >= spec.checkpoint_seconds and not context.checkpoint_in_flight()
        # After the last window as well: the gaps come then, and they take long, too.
        if reason or due or done == len(origins):
            measured.save(spec, context)
            saved = time.monotonic()
        if reason is not None:
            raise Stopped(f"stopped at window {done} of {len(origins)}: {reason}")
    return measured


def _filling(
    spec: EvaluateSeries, context: JobContext, trained: Trained, table: Table, split: Split
) -> Hidden:
    """How well gaps of the test part are filled, by what the training part tells."""

    def tell(stage: str) -> None:
        context.report(Progress(0, 1, stage))
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped while filling: {reason}")

    first, quantiles = split.panel.rows.first, trained.spec.quantiles
    ends = (split.validation, split.test, split.panel.rows.lengths)
    training, validation, test = (
        Stretch(first + begin, first + end) for begin, end in zip((0, *ends[:2]), ends, strict=True)
    )
    places = chosen(split.panel.columns, table.columns, "column")
    level = max(quantiles[-1] - quantiles[0], 0.5)
    return hidden_scores(table, places, training, validation, test, spec.gaps, level, tell=tell)


def _best_median_worst(sums: Sums, origins: Origins) -> tuple[Origins, list[str]]:
    """Of the channels with the least, the median and the largest error: the window in the middle of each."""
    errors = sums.errors()
    order = np.flatnonzero(~np.isnan(errors))
    order = order[np.argsort(errors[order], kind="stable")]
    wanted = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    if len(order) < 3:
        wanted = {"best": order[0]} if len(order) == 1 else {"best": order[0], "worst": order[-1]}
    places: Array = np.array([_middle(origins, channel) for channel in wanted.values()])
    return origins[places], list(wanted)


def _middle(origins: Origins, channel: int) -> int:
    of_it = np.flatnonzero(origins.channels == channel)
    return int(of_it[len(of_it) // 2])
