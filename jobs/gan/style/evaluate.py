"""Measures what a trained generator of style comes to: the look it gives, and the content it keeps."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.errors import BadInput, Stopped
from jobs.gan.measures.features import FeatureNetwork, feature_network
from jobs.gan.measures.judge import halves
from jobs.gan.measures.memorisation import memorisation
from jobs.gan.measures.metrics import frechet_distance, kernel_distance
from jobs.gan.measures.similarity import edges_in_common, structural_similarity
from jobs.gan.style.data import as_squares, shows_all, squares
from jobs.gan.style.judging import FEWEST_SOURCE, FEWEST_TARGET
from jobs.gan.style.painting import fitted
from jobs.gan.style.trained import Trained, load
from jobs.gan.style.uses import EvaluateStyle, StyleEvaluation
from jobs.gan.style.whole import translated
from jobs.pictures import grid

#: Pictures in the overview.
SHOWN = 10

log = logging.getLogger(__name__)


def run(spec: EvaluateStyle, context: JobContext) -> StyleEvaluation:
    """Saves `evaluation.json`, `neighbours.png`, and `methods.png`: before, shifted colours, translated.

    Raises:
        BadInput: the model is no training of style, or there are too few pictures, or too small ones.
        Stopped: asked to stop; nothing is worth keeping.
    """
    model = load(spec.model, context)
    names = spec.source or model.spec.source, spec.target or model.spec.target
    source, whole_target = (context.image_set(name) for name in names)
    _check(source, whole_target, model, names)
    target = as_squares(whole_target, model.crop, model.channels, spec.seed)
    network = feature_network(target, context)
    count = min(spec.count, len(target) // 2, len(source))
    chosen, others = halves(len(target), count, spec.seed)
    rows = np.sort(np.random.Generator(np.random.Philox([spec.seed, 9])).permutation(len(source))[:count])
    outputs = _translated(source, rows, model, context)
    before, after = (
        squares(source, rows, model.crop, model.channels, spec.seed, instead=pictures)
        for pictures in (None, outputs)
    )
    shifted = colours_shifted(before, target.images[chosen])
    real = network.see(target.images[chosen]).features
    floor = network.see(target.images[others]).features
    labels = None
    if (
        network.task == "classes"
        and source.class_names == target.class_names
        and shows_all(source, model.crop)
    ):
        labels = np.asarray(source.labels)[rows]
    memory = memorisation(after, target.images, spec.seed) if len(target) > 5 else None
    evaluation = StyleEvaluation(
        count=count,
        features=network.task,
        feature_accuracy=network.accuracy,
        **_far("", network, after, real, labels),
        **_far("source_", network, before, real, labels),
        **_far("shifted_", network, shifted, real, labels),
        floor_frechet_distance=frechet_distance(real, floor),
        floor_kernel_distance=kernel_distance(real, floor)[0],
        structural_similarity=float(structural_similarity(before, after).mean()),
        shifted_structural_similarity=float(structural_similarity(before, shifted).mean()),
        edges_in_common=float(edges_in_common(before, after).mean()),
        shifted_edges_in_common=float(edges_in_common(before, shifted).mean()),
        copied=memory.copied if memory else None,
        remark=""
        if labels is not None
        else "the two sets do not have the same classes: whether contents are still read alike was not "
        "measured",
    )
    if memory:
        context.save_artifact("neighbours.png", memory.picture)
    shown = np.concatenate([each[:SHOWN] for each in (before, shifted, after)])
    context.save_artifact("methods.png", grid(shown, columns=min(SHOWN, count)))
    context.save_artifact("evaluation.json", evaluation.model_dump_json(indent=2).encode())
    if evaluation.remark:
        log.warning("%s", evaluation.remark)
    return evaluation


def colours_shifted(images: Array, target: Array) -> Array:
    """The simplest method: mean and deviation of each channel over all pictures become the target's.

    Reinhard et al. 2001 (https://doi.org/10.1109/38.946629), over sets and in red, green and blue.
    """
    exact = images.astype(np.float64)
    mean, deviation = exact.mean(axis=(0, 1, 2)), exact.std(axis=(0, 1, 2))
    wanted, spread = target.mean(axis=(0, 1, 2)), target.std(axis=(0, 1, 2))
    shifted = (exact - mean) * (spread / np.maximum(deviation, 1e-6)) + wanted
    found: Array = np.clip(np.rint(shifted), 0, 255).astype(np.uint8)
    return found


def _far(
    prefix: str, network: FeatureNetwork, images: Array, real: Array, labels: Array | None
) -> Mapping[str, Any]:
    """How far pictures are from the target, and whether they are read as what they were."""
    seen = network.see(images)
    distance, error = kernel_distance(real, seen.features)
    return {
        f"{prefix}frechet_distance": frechet_distance(real, seen.features),
        f"{prefix}kernel_distance": distance,
        f"{prefix}kernel_distance_error": error,
        f"{prefix}content_kept": None if labels is None else float((seen.answers == labels).mean()),
    }


def _check(source: ImageSet, target: ImageSet, model: Trained, names: tuple[str, str]) -> None:
    for name, images, fewest in zip(names, (source, target), (FEWEST_SOURCE, FEWEST_TARGET), strict=True):
        if len(images) < fewest:
            raise BadInput(
                f"the data set {name!r} has {len(images)} pictures, and measuring needs at least {fewest}"
            )
        if min(images.shape[:2]) < model.crop:
            raise BadInput(
                f"the pictures of {name!r} are {images.shape[0]} x {images.shape[1]}, and squares of "
                f"{model.crop} pixels, as job {model.job_id} has learnt from, are compared; give larger ones"
            )


def _translated(source: ImageSet, rows: Array, model: Trained, context: JobContext) -> Array:
    """Whole pictures, translated, uint8 (rows, height, width, channels)."""
    found = np.empty((len(rows), *source.shape[:2], model.channels), np.uint8)
    for number, row in enumerate(rows):
        if number % 50 == 0:
            if (reason := context.should_stop()) is not None:
                raise Stopped(f"stopped at picture {number} of {len(rows)}: {reason}")
            context.report(Progress(number, len(rows), f"picture {number}/{len(rows)}"))
        found[number] = translated(model.draw, fitted(source.images[row : row + 1], model.channels)[0])
    return found
