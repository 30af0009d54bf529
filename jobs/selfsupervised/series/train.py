"""Fits ridge regression, trains a network beside it, and keeps what is better on the validation part."""

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext, Progress
from jobs.errors import BadInput, Stopped
from jobs.selfsupervised.series.methods import learning
from jobs.selfsupervised.series.methods.choosing import (
    JUDGED,
    Tell,
    best_ridge,
    score_of,
    simplest,
    too_short,
    windows_to_try,
)
from jobs.selfsupervised.series.methods.method import Method, Origins
from jobs.selfsupervised.series.spec import PointScores, TrainingFigures, TrainSeries
from jobs.selfsupervised.series.splitting import Split
from jobs.selfsupervised.series.trained import WEIGHTS, Trained
from jobs.training import Start

#: The network has to be better than ridge regression by such a share of its error: less is chance.
MARGIN = 0.01
#: Windows of the training part without which no network is tried by default.
FEWEST = 1_000


def run(spec: TrainSeries, context: JobContext) -> TrainingFigures:
    """Trains, and saves `model.safetensors`, and of a network `losses.png`.

    Raises:
        BadInput: no such column, no row in that time, or too few rows for the horizon.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint of the network is saved.
    """
    start = Start.of(context, spec)
    split = Split.of(spec, context.table(spec.dataset))
    judged = split.chosen_by().some(JUDGED)
    _check(spec, split, judged)
    tell = _teller(context, 0 if start.found is None else start.found.step, spec.steps)
    ridge, tried = best_ridge(split, windows_to_try(split, spec.window), judged, tell)
    if ridge is None and spec.method in (None, "ridge", "network"):
        raise too_short(split, spec.dataset, spec.window)
    window = ridge.window if ridge else spec.window or max(2, min(split.longest, 2 * split.panel.season))
    methods: dict[str, Method] = {method.name: method for method in simplest(split, window)}
    if ridge is not None:
        methods["ridge"] = ridge
        ridge.calibrate(judged, spec.quantiles)
    scores = {name: score_of(method, judged) for name, method in methods.items()}
    windows, left_out = split.training(window)
    learnt = None
    if ridge is not None and _wants_network(spec, len(windows)):
        learnt = learning.learn(spec, context, split, ridge, windows, judged, start)
        methods["network"] = learnt.method
        scores["network"] = score_of(learnt.method, judged)
    elif spec.start is not None:
        raise BadInput(
            f"field 'start': no network is trained on {spec.dataset!r} with its {len(windows)} windows; give "
            "method='network', or leave it out"
        )
    chosen = methods[spec.method or _best(scores)]
    if chosen.name != "ridge":
        chosen.calibrate(judged, spec.quantiles)
    trained = Trained(
        spec,
        split.panel.columns,
        split.panel.season,
        chosen,
        ridge,
        step=split.panel.table.step,
        errors=_errors_by_column(split, judged),
    )
    if learnt is None:
        _keep(spec, context, trained)
    context.save_artifact(WEIGHTS, trained.to_bytes())
    return TrainingFigures(
        method=trained.name,
        window=window,
        season=split.panel.season,
        validation=scores,
        tried={str(rows): score for rows, score in tried.items()},
        series=split.panel.series,
        rows=int(np.minimum(split.validation, split.panel.rows.lengths).sum()),
        windows=len(windows),
        left_out=left_out,
        steps=learnt.steps if learnt else 0,
        seconds=learnt.seconds if learnt else 0.0,
        windows_per_second=learnt.windows_per_second if learnt else 0.0,
        state_sha256=learnt.state_sha256 if learnt else digest_of_state(trained.arrays()),
    )


def _teller(context: JobContext, step: int, steps: int) -> Tell:
    """Says how far the regression is, and asks whether to stop; the steps that count are the network's."""

    def tell(what: str, share: float) -> None:
        context.report(Progress(step, steps, f"{what}, {share:.0%}"))
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped in {what}: {reason}")

    return tell


def _check(spec: TrainSeries, split: Split, judged: Origins) -> None:
    if split.panel.unknown.all():
        raise BadInput(
            f"no column of {spec.dataset!r} has a value in the training part: there is nothing to learn from"
        )
    if not len(judged):
        raise BadInput(
            f"no row of the validation part of {spec.dataset!r} can be forecast: its longest series has "
            f"{int(split.panel.rows.lengths.max())} rows, of which "
            f"{int((split.test - split.validation).max())} are to choose by, and the horizon is "
            f"{spec.horizon}; give more rows, a larger 'validation', or a smaller 'horizon'"
        )


def _errors_by_column(split: Split, judged: Origins) -> tuple[int, ...]:
    """How many errors the intervals follow from."""
    there = (~np.isnan(judged.truths(split.horizon))).sum(axis=1)
    columns = judged.channels // split.panel.series
    found = np.bincount(columns, there, len(split.panel.columns))
    return tuple(int(count) for count in found)


def _wants_network(spec: TrainSeries, windows: int) -> bool:
    return spec.method == "network" or (spec.method is None and windows >= FEWEST)


def _best(scores: dict[str, PointScores]) -> str:
    """The method of the least error; the network only where it is better by more than chance."""
    errors = {name: score.mse for name, score in scores.items()}
    if "network" in errors:
        errors["network"] /= 1.0 - MARGIN
    return min(errors, key=lambda name: errors[name])


def _keep(spec: TrainSeries, context: JobContext, trained: Trained) -> None:
    """A training without a network has a last checkpoint, too: it was one step."""
    metadata = {"kind": spec.kind, "spec": digest_of_spec(spec)}
    context.save_checkpoint(Checkpoint(1, trained.arrays(), metadata))
    context.report(Progress(1, 1, trained.name))
