"""Measures how good a trained generator is, against the data set it was trained on."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.gan.generate import Generator, draw_all, draw_latents, load_generator
from jobs.gan.measures.features import FeatureNetwork, Seen, feature_network
from jobs.gan.measures.judge import halves
from jobs.gan.measures.memorisation import memorisation
from jobs.gan.measures.metrics import frechet_distance, kernel_distance, precision_and_recall
from jobs.gan.uses import EvaluateGan, Evaluation
from jobs.pictures import grid

#: Blocks of two for the kernel distance, and three neighbours for the precision.
FEWEST = 40
#: Samples of each class in the picture of classes, and classes.
EACH, MOST_CLASSES = 10, 50

Array = np.ndarray[Any, Any]
log = logging.getLogger(__name__)


def run(spec: EvaluateGan, context: JobContext) -> Evaluation:
    """Saves `evaluation.json`, `neighbours.png` and, for data with labels, `classes.png`.

    Raises:
        BadInput: the model is not a GAN, or its data set has fewer than 40 images, or other ones by now.
        Stopped: asked to stop; nothing is worth keeping.
    """
    generator = load_generator(spec.model, context)
    data = checked_data(generator.spec.dataset, generator, context)
    network = feature_network(data, context)
    chosen, others = halves(len(data), spec.count, spec.seed)
    labels = labels_like(data, generator, len(chosen), spec.seed)
    latents = draw_latents(spec.seed, len(chosen), generator.spec.latent_dim)
    images = draw_all(generator, latents, labels, context)
    samples = network.see(images)
    real, other = (network.see(data.images[rows]).features for rows in (chosen, others))
    memory = memorisation(images, data.images, spec.seed)
    context.save_artifact("neighbours.png", memory.picture)
    measured = {
        **distances(real, samples.features),
        **{f"floor_{name}": value for name, value in distances(real, other).items()},
        **classes(data, network, samples, labels),
    }
    evaluation = Evaluation(
        count=len(chosen),
        features=network.task,
        feature_accuracy=network.accuracy,
        copied=memory.copied,
        **measured,
    )
    if data.labels is not None:
        context.save_artifact("classes.png", by_class(images, labels, samples, data.class_names))
    if evaluation.remark:
        log.warning("%s", evaluation.remark)
    context.save_artifact("evaluation.json", evaluation.model_dump_json(indent=2).encode())
    return evaluation


def checked_data(name: str, generator: Generator, context: JobContext) -> ImageSet:
    """The real images that a generator is compared with.

    Raises:
        BadInput: too few, or of another shape than the generator's.
    """
    data = context.image_set(name)
    if len(data) < FEWEST:
        raise BadInput(
            f"the data set {name!r} has {len(data)} images, and measuring needs at least {FEWEST}; "
            "look at the samples of the training instead"
        )
    if data.shape != generator.shape:
        raise BadInput(
            f"the data set {name!r} has images of {data.shape} (height, width, channels) and job "
            f"{generator.job_id} draws {generator.shape}; train on the data set as it is now"
        )
    return data


def labels_like(data: ImageSet, generator: Generator, count: int, seed: int) -> Array | None:
    """Classes to ask a conditional generator for, as frequent as in the data; int64 (count,), else None.

    Raises:
        BadInput: the data set has other classes by now.
    """
    if not generator.class_names:
        return None
    return np.random.Generator(np.random.Philox([seed, 4])).choice(checked_labels(data, generator), count)


def checked_labels(data: ImageSet, generator: Generator) -> Array:
    """The labels of real images, int64 (count,), which mean the same as those of a conditional generator.

    Raises:
        BadInput: they do not.
    """
    if data.labels is None or data.class_names != generator.class_names:
        raise BadInput(
            f"the data set has the classes {', '.join(data.class_names) or '(none)'} and job "
            f"{generator.job_id} draws {', '.join(generator.class_names)}; train on the data set as it is now"
        )
    return data.labels


def distances(real: Array, samples: Array) -> dict[str, float]:
    """All that compares two sets of features (count, dimensions)."""
    distance, error = kernel_distance(real, samples)
    precision, recall = precision_and_recall(real, samples)
    return {
        "frechet_distance": frechet_distance(real, samples),
        "kernel_distance": distance,
        "kernel_distance_error": error,
        "precision": precision,
        "recall": recall,
    }


def classes(data: ImageSet, network: FeatureNetwork, samples: Seen, asked: Array | None) -> Mapping[str, Any]:
    """What is known of the classes of the samples; all None, and a remark, without labels."""
    if data.labels is None or network.task != "classes":
        return {
            "class_shares": {},
            "real_class_shares": {},
            "class_coverage": None,
            "class_balance": None,
            "label_accuracy": None,
            "remark": "the data set does not have labels of two classes or more: coverage and balance of "
            f"classes were not measured, and the features are those of a network that tells {network.task}",
        }
    shares, real = (_shares(numbers, len(data.class_names)) for numbers in (samples.answers, data.labels))
    present = real > 0
    return {
        "class_shares": dict(zip(data.class_names, shares.tolist(), strict=True)),
        "real_class_shares": dict(zip(data.class_names, real.tolist(), strict=True)),
        "class_coverage": float((shares >= real / 10)[present].mean()),
        "class_balance": float(np.minimum(shares, real).sum()),
        "label_accuracy": None if asked is None else float((samples.answers == asked).mean()),
        "remark": "",
    }


def _shares(numbers: Array, classes: int) -> Array:
    return np.bincount(numbers, minlength=classes) / len(numbers)


def by_class(images: Array, asked: Array | None, samples: Seen, class_names: tuple[str, ...]) -> bytes:
    """A PNG file: a row of samples for each class, asked for or else taken for it; black where none is."""
    numbers = samples.answers if asked is None else asked
    rows = []
    for number in range(min(len(class_names), MOST_CLASSES)):
        row = np.zeros((EACH, *images.shape[1:]), np.uint8)
        chosen = images[numbers == number][:EACH]
        row[: len(chosen)] = chosen
        rows.append(row)
    return grid(np.concatenate(rows), columns=EACH)
