"""The training of the network: its rows, its looks at the validation part, its best weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jobs.context import JobContext
from jobs.pictures import curves
from jobs.selfsupervised.series.methods.method import Origins
from jobs.selfsupervised.series.methods.networked import NetworkMethod, built
from jobs.selfsupervised.series.methods.ridge import Ridge
from jobs.selfsupervised.series.methods.times import phases
from jobs.selfsupervised.series.pictures import filmed
from jobs.selfsupervised.series.scoring import scored
from jobs.selfsupervised.series.spec import TrainSeries
from jobs.selfsupervised.series.splitting import Split
from jobs.training import Start, train
from jobs.training.best import Best
from jobs.training.state import restore

#: Windows that it learns from at most, evenly spread: an epoch of more would be looked at too seldom.
MOST = 128_000
#: Windows of the validation part that it is judged by after each epoch.
JUDGED = 8_000
#: Epochs without a better one, after which it ends.
PATIENCE = 5


@dataclass(frozen=True)
class Learnt:
    """What a training of the network has come to."""

    method: NetworkMethod
    steps: int
    seconds: float
    windows_per_second: float
    state_sha256: str


def learn(
    spec: TrainSeries,
    context: JobContext,
    split: Split,
    ridge: Ridge,
    windows: Origins,
    judged: Origins,
    start: Start,
) -> Learnt:
    """Trains the network, and takes its weights of the epoch that was best on the validation part.

    Raises:
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    network = built(spec, ridge)
    windows, judged = windows.some(MOST), judged.some(JUDGED)
    passes = start.passes(len(windows), min(spec.batch_size, len(windows)))
    epochs = max(1, round(spec.steps / passes.steps))
    network.prepare(epochs * passes.steps, split.panel.filled, split.panel.seen)
    method = NetworkMethod(
        "network", ridge.horizon, ridge.window, spec.quantiles, np.zeros(ridge.offsets.shape), network=network
    )
    truths = judged.truths(spec.horizon)
    film = judged.some(4)
    every = math.ceil(epochs / 15)

    def at_epoch_end(epoch: int, step: int) -> Mapping[str, float]:
        if epoch % every == 0 or epoch == epochs:
            context.save_sample(step, filmed(split, method, film))
        return {"validation_mse": scored(method.predict(judged, with_quantiles=False)[0], truths).mse}

    trained = train(
        network,
        {
            "places": windows.places.astype(np.int32),
            "phases": phases(windows).astype(np.float32),
            "known": _known(windows, spec.horizon),
        },
        spec,
        context,
        epochs=epochs,
        batch_size=passes.batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,  # XLA compiles for fifteen seconds, and then does a step no faster
        at_epoch_end=at_epoch_end,
        judged=("validation_mse",),
        best=Best("validation_mse", "min"),
        patience=PATIENCE if spec.method is None else None,
        start=start,
    )
    if trained.best is not None:
        restore(network, trained.best)
    context.save_artifact(
        "losses.png",
        curves({**trained.history, **trained.judged}, x_label="epoch", y_label="loss, and error of z-scores"),
    )
    return Learnt(
        method,
        trained.steps,
        trained.seconds,
        trained.steps_per_second * passes.batch_size,
        trained.state_sha256,
    )


def _known(windows: Origins, horizon: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What is known ahead of each, float32 (count, horizon * covariates)."""
    found = np.empty((len(windows), horizon * windows.panel.covariates.shape[1]), np.float32)
    for part, block in windows.blocks():
        found[part] = windows.panel.ahead(block.places, block.channels, horizon)[: part.stop - part.start]
    return found
