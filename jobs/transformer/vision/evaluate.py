"""Measures a network on labelled images, beside the simplest methods."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Stopped
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.quantising import INT8
from jobs.transformer.judging.charts import confusion_matrix, reliability_diagram
from jobs.transformer.judging.scores import probabilities_of, reliability, scores_of
from jobs.transformer.judging.unknown import advice
from jobs.transformer.vision.asking import Array, Classifier, classifier, computed
from jobs.transformer.vision.mistakes import mistakes_picture, worst
from jobs.transformer.vision.simplest import MOST, baselines
from jobs.transformer.vision.train import parts_of
from jobs.transformer.vision.uses import EvaluateImageClassifier, ImageEvaluation


@dataclass(frozen=True)
class Asked:
    """Images to measure on.

    Attributes:
        name: of their data set.
        data: all of it.
        rows: the numbers of those that are measured on, int64 (count,).
        labels: of these, by the model's classes, int64 (count,).
        left_out: images that are not among them, by the reason.
    """

    name: str
    data: ImageSet
    rows: Array
    labels: Array
    left_out: Mapping[str, int]


def run(spec: EvaluateImageClassifier, context: JobContext) -> ImageEvaluation:
    """Saves `evaluation.json`, `confusion.png`, `calibration.png`, and `mistakes.png` if there are any.

    Raises:
        BadInput: the images have no labels that the model has classes for, or are of another size, or the
            data set of the training is another one by now.
        Stopped: asked to stop; it begins anew then, as nothing takes long.
    """
    given = context.image_set(spec.dataset) if spec.dataset else None
    training: Any = context.spec_of(spec.model) if spec.model else None
    size = given.shape[:2] if given else (0, 0)  # of a job's network it is known
    library = "auto" if spec.precision == INT8 else "tensorflow"
    model = classifier(spec, size, Choice.of(library, spec.precision), context)
    names = model.plan.class_names
    known, notes = _learnt_from(model, training, context)
    if given is None:
        asked = _test_rows(known, training, str(spec.model), names, notes)
    else:
        asked = _numbered(given, str(spec.dataset), names, spec.unknown)
    logits = _logits(model, asked, context)
    found = worst(logits, asked.labels, asked.rows, names)
    result = ImageEvaluation(
        scores=scores_of(logits, asked.labels, names),
        baselines={} if known is None else _simplest(known, training, asked, model),
        mistakes=found,
        left_out=dict(asked.left_out),
        notes=notes,
    )
    title = f"{len(asked.labels):,} images of {asked.name}"
    matrix = confusion_matrix(np.array(result.scores.confusion), names, title)
    diagram = reliability_diagram(*reliability(probabilities_of(logits), asked.labels))
    context.save_artifact("confusion.png", matrix)
    context.save_artifact("calibration.png", diagram)
    if found:
        context.save_artifact("mistakes.png", mistakes_picture(found, asked.data.images, names))
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    return result


def _learnt_from(model: Classifier, training: Any, context: JobContext) -> tuple[ImageSet | None, list[str]]:
    """The data set that the model was trained on; None, with the reason, if it is not there any more."""
    if training is None:
        return None, ["no baselines: what the checkpoint was trained on is not known"]
    try:
        data = context.image_set(training.dataset)
    except BadInput as error:
        return None, [f"no baselines: the data set of the training cannot be loaded ({error})"]
    if data.digest != model.data:
        return None, [f"no baselines: {training.dataset!r}, which was trained on, holds other images by now"]
    return data, []


def _test_rows(
    known: ImageSet | None, training: Any, job_id: str, names: tuple[str, ...], notes: list[str]
) -> Asked:
    if known is None:
        raise BadInput(f"{notes[0]}; name a 'dataset' to measure on")
    labels = np.asarray(known.labels)
    rows = parts_of(training, labels, names)[0].test
    if not len(rows):
        raise BadInput(f"the training of job {job_id} has left no test rows; name a 'dataset' to measure on")
    return Asked(training.dataset, known, rows, labels[rows], {})


def _numbered(data: ImageSet, name: str, names: tuple[str, ...], unknown: str) -> Asked:
    """The images of a data set whose labels are classes of the model."""
    if data.labels is None:
        raise BadInput(f"the images of {name!r} have no labels to measure by; upload them with sub-folders")
    numbers = np.array([names.index(each) if each in names else -1 for each in data.class_names])
    labels = numbers[data.labels]
    strange = Counter(data.class_names[label] for label in data.labels[labels < 0])
    if strange and (unknown == "refuse" or strange.total() == len(data)):
        named = ", ".join(f"{label!r} ({count} images)" for label, count in strange.most_common(5))
        raise BadInput(
            f"{name!r} has labels that the model has no class for: {named}; its classes are "
            f"{', '.join(names)}; {advice(unknown, 'images')}"
        )
    rows = np.flatnonzero(labels >= 0)
    left_out = {f"unknown label: {label}": count for label, count in sorted(strange.items())}
    return Asked(name, data, rows, labels[rows], left_out)


def _logits(model: Classifier, asked: Asked, context: JobContext) -> Array:
    """Of all images, float32 (images, classes)."""
    total, reason = len(asked.rows), None

    def go_on(done: int) -> bool:
        nonlocal reason
        context.report(Progress(done, total, f"image {done:,}/{total:,}"))
        reason = context.should_stop() if done < total else None
        return reason is None

    parts = [part for _, part in computed(model, asked.data, asked.name, asked.rows, go_on)]
    if reason is not None:
        raise Stopped(f"stopped before the last of {total} images: {reason}")
    return np.concatenate(parts)


def _simplest(known: ImageSet, training: Any, asked: Asked, model: Classifier) -> dict[str, float]:
    """What the simplest methods reach that learn from the same rows."""
    labels = np.asarray(known.labels)
    rows = parts_of(training, labels, model.plan.class_names)[0].train
    random = np.random.Generator(np.random.Philox(key=[training.seed, 2**35]))
    learnt, queries = (np.sort(random.permutation(len(each))[:MOST]) for each in (rows, asked.rows))
    chosen, shape = rows[learnt], model.plan.shape
    return baselines(
        fitted(known.images[chosen], shape, training.dataset),
        labels[chosen],
        fitted(asked.data.images[asked.rows[queries]], shape, asked.name),
        asked.labels[queries],
    )
