"""Trains a model without labels, and leaves its weights, pictures and curves."""

import math
from collections.abc import Mapping

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.pictures import curves
from jobs.probes import knn_accuracy
from jobs.selfsupervised.methods.building import WEIGHTS, build, to_bytes
from jobs.selfsupervised.methods.learner import Learner
from jobs.selfsupervised.networks.shapes import Array
from jobs.selfsupervised.spec import TrainingResult, TrainSelfSupervised, pictures_every
from jobs.selfsupervised.strips import EXAMPLES, strip
from jobs.training import Every, Start, train
from jobs.training.rows import Selection

#: Rows that vote, and rows that are asked about, at an epoch's end.
JUDGED = 1_000
#: Steps between looks at a model that XLA compiles: such a step takes a millisecond, a look some dozens.
STEPS_BETWEEN_LOOKS = 1_000


def run(spec: TrainSelfSupervised, context: JobContext) -> TrainingResult:
    """Trains, and saves `model.safetensors`, `strip.png`, `losses.png`, and `knn.png` where there are labels.

    Raises:
        BadInput: too few images, or too small ones.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    data = context.image_set(spec.dataset)
    model = build(spec, data.shape)
    rows, held_out = split(spec, len(data), model.fewest)
    batch_size = min(model.recipe.batch_size, len(rows))
    start = Start.of(context, spec)
    passes = start.passes(len(rows), batch_size)
    epochs = model.recipe.epochs or math.ceil(model.recipe.steps / passes.steps)
    model.prepare(epochs * passes.steps)
    look_every = STEPS_BETWEEN_LOOKS if model.jit else model.recipe.look_every
    judge_every = spec.judge_every or math.ceil(look_every / passes.steps)
    every = Every(judge=judge_every, sample=pictures_every(spec, epochs))
    judge = Judge(model, data, rows, held_out, start)
    examples = data.images[(held_out if len(held_out) else rows)[:EXAMPLES]]
    gallery = data.images[rows[-JUDGED:]]

    def at_epoch_end(epoch: int, step: int) -> Mapping[str, float] | None:
        if every.samples(epoch) or epoch == epochs:
            context.save_sample(step, strip(model, examples, gallery))
        return judge.look() if every.judges(epoch) or epoch == epochs else None

    trained = train(
        model,
        {"images": Selection(data.images, rows)},  # no labels
        spec,
        context,
        epochs=epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=model.jit,
        at_epoch_end=at_epoch_end,
        judged=judge.names,
        start=start,
        every=every,
    )
    context.save_artifact(WEIGHTS, to_bytes(model))
    context.save_artifact("strip.png", strip(model, examples, gallery))
    losses = {**trained.history, **only(trained.judged, "validation_loss")}
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label=f"loss of {spec.method}"))
    if knn := only(trained.judged, "knn_accuracy"):
        context.save_artifact("knn.png", curves(knn, x_label="epoch", y_label="accuracy of 20 neighbours"))
    return TrainingResult(
        steps=trained.steps,
        epochs=epochs,
        embedding_dim=int(model.encoder.output.shape[1]),
        loss=float(trained.history["loss"][-1]),
        validation_loss=last(trained.judged, "validation_loss"),
        knn_accuracy=last(trained.judged, "knn_accuracy"),
        seconds=trained.seconds,
        steps_per_second=trained.steps_per_second,
        rows_repeated=passes.repeated,
        rows_left_out=passes.left_out,
        state_sha256=trained.state_sha256,
    )


def split(spec: TrainSelfSupervised, count: int, fewest: int) -> tuple[Array, Array]:
    """Rows to train on, and rows that are only looked at, int64 each.

    Raises:
        BadInput: fewer rows are left to train on than the method needs.
    """
    asked = spec.validation if spec.validation >= 1 else math.floor(spec.validation * count)
    held_out = int(asked)
    if count - held_out < fewest:
        needs = "1 image" if fewest == 1 else f"{fewest} images"
        raise BadInput(
            f"the data set {spec.dataset!r} has {count} image{'' if count == 1 else 's'}, of which "
            f"'validation' holds {held_out} out; {spec.method} needs at least {needs} to train on"
        )
    order = np.arange(count)
    if spec.validation_from == "random":
        order = np.random.Generator(np.random.Philox(key=[spec.seed, 2**32])).permutation(count)
    return order[: count - held_out], order[count - held_out :]


class Judge:
    """Looks at a model in training: its loss on rows held out, and its neighbours where there are labels.

    Labels are used here and nowhere else: no gradient ever follows from them.

    Args:
        model: in training.
        data: all of it.
        rows: what is trained on.
        held_out: what is not.
        start: by which rules.
    """

    def __init__(self, model: Learner, data: ImageSet, rows: Array, held_out: Array, start: Start) -> None:
        self._model = model
        self._start = start
        self._held_out = Selection(data.images, held_out)
        memory, queries = rows[:JUDGED], held_out[:JUDGED]
        if not len(queries):  # then rows that do not vote are asked about, though they were trained on
            queries = rows[len(memory) :][:JUDGED]
        self._memory, self._queries = data.images[memory], data.images[queries]
        if data.labels is not None:
            self._labels_of_memory, self._labels_of_queries = data.labels[memory], data.labels[queries]
        names = {
            "validation_loss": len(held_out) >= model.fewest,
            "knn_accuracy": data.labels is not None and len(queries) > 0,
        }
        self.names = tuple(name for name, there in names.items() if there)

    def look(self) -> dict[str, float]:
        """The metrics in `names`, from the model as it is."""
        found = {}
        if "validation_loss" in self.names:
            found["validation_loss"] = self._model.validation_loss(self._held_out, self._start)
        if "knn_accuracy" in self.names:
            found["knn_accuracy"] = knn_accuracy(
                self._model.embed(self._memory),
                self._labels_of_memory,
                self._model.embed(self._queries),
                self._labels_of_queries,
            )
        return found


def only(judged: Mapping[str, Array], name: str) -> dict[str, Array]:
    """One metric by epoch, if there is one: from its first judgement on, between two on a straight line."""
    if name not in judged:
        return {}
    epochs = np.arange(len(judged[name]))
    there = ~np.isnan(judged[name])
    return {name: np.interp(epochs, epochs[there], judged[name][there], left=np.nan)}


def last(judged: Mapping[str, Array], name: str) -> float | None:
    """The value of the last epoch, if there is such a metric."""
    return float(judged[name][-1]) if name in judged else None
