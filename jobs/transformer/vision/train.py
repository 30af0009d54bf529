"""Trains a network to tell images of different classes apart, and leaves it with figures and pictures."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.pictures import curves
from jobs.training import Every, Start, Trained, train
from jobs.training.best import Best
from jobs.training.rows import Selection
from jobs.training.state import restore
from jobs.transformer.judging.charts import confusion_matrix, reliability_diagram
from jobs.transformer.judging.figures import Scores
from jobs.transformer.judging.scores import probabilities_of, reliability, scores_of
from jobs.transformer.judging.splits import Parts, drawn, split
from jobs.transformer.vision.beginning import begun
from jobs.transformer.vision.folders.writing import FILES, can_write, write_folder
from jobs.transformer.vision.learner import Array, ImageLearner, class_weights
from jobs.transformer.vision.looks import attention_picture
from jobs.transformer.vision.spec import ImageTraining, TrainImageClassifier

WEIGHTS = "model.safetensors"
MODEL = "model"  #: the Hugging Face folder, of a plain Vision Transformer
#: Epochs unless the spec says otherwise: as many as make so many steps, but no fewer and no more than these.
STEPS, LEAST, MOST = 3_000, 20, 500
#: Pictures of a training in all, unless the spec says otherwise.
PICTURES = 15

#: What `metric` in the spec is among the judgements of an epoch, and which direction is better.
BEST = {
    "validation_loss": Best("validation_loss", "min"),
    "accuracy": Best("validation_accuracy", "max"),
    "macro_f1": Best("macro_f1", "max"),
}
JUDGED = ("validation_loss", "validation_accuracy", "macro_f1")


def run(spec: TrainImageClassifier, context: JobContext) -> ImageTraining:
    """Trains, and saves `model.safetensors`, `metrics.json`, `attention.png` and charts.

    Of a plain Vision Transformer also `model/`, a Hugging Face folder.

    Raises:
        BadInput: the images have no labels, or of one class only, or are too large; the text says why.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    data = labelled(spec, context.image_set(spec.dataset))
    start = Start.of(context, spec)
    network = begun(spec, data, context)
    plan = network.plan
    images = data.images if plan.shape == data.shape else fitted(data.images, plan.shape, spec.dataset)
    labels = np.asarray(data.labels, np.int32)
    parts, notes = parts_of(spec, labels, data.class_names)
    batch_size = min(spec.batch_size, len(parts.train))
    passes = start.passes(len(parts.train), batch_size)
    epochs = spec.epochs or min(max(math.ceil(STEPS / passes.steps), LEAST), MOST)
    weights = class_weights(spec.class_weights, labels[parts.train], len(data.class_names))
    model = ImageLearner(spec, network, weights, epochs * passes.steps, flips(spec, data))
    every = Every(judge=spec.judge_every, sample=spec.sample_every or math.ceil(epochs / PICTURES))
    examples = images[_some(parts)]

    def scores(rows: Array) -> tuple[Scores, Array]:
        logits = model.predicted(Selection(images, rows))
        return scores_of(logits, labels[rows], data.class_names), logits

    def at_epoch_end(epoch: int, step: int) -> Mapping[str, float] | None:
        last = epoch == epochs
        with model.averaged():
            if every.samples(epoch) or last:
                picture = attention_picture(network, examples)
                if picture is not None:
                    context.save_sample(step, picture)
            if not len(parts.validation) or not (every.judges(epoch) or last):
                return None
            found, _ = scores(parts.validation)
        return dict(zip(JUDGED, (found.loss, found.accuracy, found.macro_f1), strict=True))

    judges = len(parts.validation) > 0
    trained = train(
        model,
        {"images": Selection(images, parts.train), "labels": labels[parts.train]},
        spec,
        context,
        epochs=epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,
        at_epoch_end=at_epoch_end,
        judged=JUDGED if judges else (),
        best=BEST[spec.metric] if judges else None,
        patience=spec.patience if judges else None,
        start=start,
        every=every,
    )
    if trained.best is not None:
        restore(model, trained.best)
    model.take_averages()
    validation = scores(parts.validation)[0] if judges else None
    test = majority = None
    if len(parts.test):
        test, logits = scores(parts.test)
        commonest = np.bincount(labels[parts.train]).argmax()
        majority = float((labels[parts.test] == commonest).mean())
        _draw_calibration(logits, labels[parts.test], context)
    done = math.ceil(trained.steps / passes.steps)
    result = ImageTraining(
        class_names=list(data.class_names),
        rows={part: len(getattr(parts, part)) for part in ("train", "validation", "test")},
        network=plan.architecture,
        parameters=sum(int(np.prod(each.shape)) for each in network.weights),
        steps=trained.steps,
        epochs=done,
        best_epoch=trained.best_step // passes.steps if trained.best_step else None,
        loss=float(trained.history["loss"][done - 1]),
        validation=validation,
        test=test,
        majority=majority,
        notes=notes,
        seconds=trained.seconds,
        images_per_second=trained.steps_per_second * batch_size,
        precision=model.precision,
        rows_repeated=passes.repeated,
        state_sha256=trained.state_sha256,
    )
    context.save_artifact(WEIGHTS, network.to_bytes(data.digest))
    if can_write(plan):
        write_folder(network, context.folder / MODEL)
        for name in FILES:
            context.save_artifact(f"{MODEL}/{name}", context.folder / MODEL / name)
    context.save_artifact("metrics.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    _draw(trained, done, test or validation, data.class_names, context)
    if (picture := attention_picture(network, examples)) is not None:
        context.save_artifact("attention.png", picture)
    return result


def labelled(spec: TrainImageClassifier, data: ImageSet) -> ImageSet:
    """The data set, if it has labels of two classes at least.

    Raises:
        BadInput: it has not.
    """
    if data.labels is None:
        raise BadInput(
            f"the images of {spec.dataset!r} have no labels; upload a folder with one sub-folder for each "
            "class, or an .npz with an array 'labels'"
        )
    if len(found := np.unique(data.labels)) < 2:
        raise BadInput(
            f"all {len(data)} images of {spec.dataset!r} are of the class "
            f"{data.class_names[int(found[0])]!r}, so there is nothing to tell apart"
        )
    return data


def parts_of(
    spec: TrainImageClassifier, labels: Array, class_names: tuple[str, ...]
) -> tuple[Parts, list[str]]:
    """The rows of each part, and what is unusual about them.

    Raises:
        BadInput: too few rows, or none to train on.
    """
    parts = split(labels, spec.seed, spec.validation, spec.test, len(class_names))
    if spec.train_rows is not None:
        if spec.train_rows > len(parts.train):
            raise BadInput(
                f"train_rows is {spec.train_rows}, and validation and test leave {len(parts.train)} rows; "
                "ask for these at most"
            )
        chosen = drawn(labels[parts.train], spec.seed, spec.train_rows, spec.balanced, class_names)
        parts = Parts(parts.train[chosen], parts.validation, parts.test)
    counts = np.bincount(labels[parts.train], minlength=len(class_names))
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    notes = [f"no image of the class {name!r} to train on: it is hardly ever predicted" for name in missing]
    return parts, notes


def flips(spec: TrainImageClassifier, data: ImageSet) -> bool:
    """Whether images are mirrored: as the spec says, else colours that are no letters or digits."""
    if spec.flip is not None:
        return spec.flip
    return data.shape[2] == 3 and all(len(name) > 1 for name in data.class_names)


def _some(parts: Parts) -> Array:
    """Rows for the pictures: not trained on, where there are any."""
    rows = parts.validation if len(parts.validation) else parts.test
    rows = rows if len(rows) else parts.train
    return rows[:: max(1, len(rows) // 8)][:8]


def _draw(
    trained: Trained, epochs: int, scores: Scores | None, names: tuple[str, ...], context: JobContext
) -> None:
    losses: dict[str, Any] = {"training": trained.history["loss"][:epochs]}
    right: dict[str, Any] = {"training": trained.history["accuracy"][:epochs]}
    for name, series, metric in (
        ("validation", losses, "validation_loss"),
        ("validation", right, "validation_accuracy"),
    ):
        if metric in trained.judged:
            series[name] = between(trained.judged[metric][:epochs])
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label="cross-entropy, nats"))
    context.save_artifact("accuracy.png", curves(right, x_label="epoch", y_label="share of the images"))
    if scores is not None:
        title = f"{scores.rows:,} images not trained on"
        context.save_artifact("confusion.png", confusion_matrix(np.array(scores.confusion), names, title))


def between(values: Array) -> Array:
    """Values by epoch, with a straight line where an epoch was not judged."""
    epochs, there = np.arange(len(values)), ~np.isnan(values)
    return np.interp(epochs, epochs[there], values[there], left=np.nan)


def _draw_calibration(logits: Array, labels: Array, context: JobContext) -> None:
    diagram = reliability_diagram(*reliability(probabilities_of(logits), labels))
    context.save_artifact("calibration.png", diagram)
