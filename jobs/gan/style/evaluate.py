"""Measures what a trained generator of style comes to: the look it gives, and the content it keeps."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.image_set import Array
from jobs.errors import Stopped
from jobs.gan.measures.features import FeatureNetwork, feature_network
from jobs.gan.measures.judge import halves
from jobs.gan.measures.memorisation import Memorisation, memorisation
from jobs.gan.measures.metrics import frechet_distance, kernel_distance
from jobs.gan.measures.similarity import edges_in_common, structural_similarity
from jobs.gan.style.comparing import Compared, compared
from jobs.gan.style.data import MOST_SQUARES, as_squares, shows_all, squares
from jobs.gan.style.painting import fitted
from jobs.gan.style.partners import colours_shifted, scores
from jobs.gan.style.trained import Trained, load
from jobs.gan.style.uses import EvaluateStyle, StyleEvaluation
from jobs.gan.style.whole import translated
from jobs.pictures import grid

#: Pictures in the overview; fewer of a target set tell nothing of copies.
SHOWN, FEWEST_OF_COPIES = 10, 6
NO_CLASSES = (
    "the two sets do not have the same classes: whether contents are still read alike was not measured"
)

log = logging.getLogger(__name__)


def run(spec: EvaluateStyle, context: JobContext) -> StyleEvaluation:
    """Saves `evaluation.json`, `neighbours.png`, and `methods.png`.

    The latter shows pictures before, with shifted colours, translated, and their true partners if there are
    any.

    Raises:
        BadInput: the model is no training of style, or there are too few pictures, or too small ones.
        Stopped: asked to stop; nothing is worth keeping.
    """
    model = load(spec.model, context)
    given = compared(spec, model, context)
    target = as_squares(given.target, model.crop, model.channels, spec.seed)
    network = feature_network(target, context)
    count = min(spec.count, len(target) // 2, len(given.rows))
    chosen, others = halves(len(target), count, spec.seed)
    order = np.random.Generator(np.random.Philox([spec.seed, 9])).permutation(given.rows)
    rows = np.sort(order[:count])
    outputs = _translated(given, rows, model, context)
    before, after = (
        squares(given.source, rows, model.crop, model.channels, spec.seed, instead=pictures)
        for pictures in (None, outputs)
    )
    shifted = colours_shifted(before, target.images[chosen])
    partners = None
    if given.paired:
        partners = squares(given.target, rows, model.crop, model.channels, spec.seed)
    real = network.see(target.images[chosen]).features
    floor = network.see(target.images[others]).features
    labels = _labels(given, rows, network, model)
    memory = _memory(given, rows, after, target.images, model, spec.seed)
    remarks = (given.remark, NO_CLASSES if labels is None and not given.paired else "")
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
        partners=None if partners is None else scores(before, shifted, after, partners),
        copied=memory.copied if memory else None,
        remark="; ".join(filter(None, remarks)),
    )
    if memory:
        context.save_artifact("neighbours.png", memory.picture)
    sides = [each for each in (before, shifted, after, partners) if each is not None]
    # Of the whole set, since sets are often sorted.
    evenly = np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int)
    shown = np.concatenate([each[evenly] for each in sides])
    context.save_artifact("methods.png", grid(shown, columns=len(evenly)))
    context.save_artifact("evaluation.json", evaluation.model_dump_json(indent=2).encode())
    if evaluation.remark:
        log.warning("%s", evaluation.remark)
    return evaluation


def _labels(given: Compared, rows: Array, network: FeatureNetwork, model: Trained) -> Array | None:
    """The classes that translated pictures should be taken for; None if those of the target are others."""
    same = network.task == "classes" and given.source.class_names == given.target.class_names
    if not same or not shows_all(given.source, model.crop):
        return None
    return np.asarray(np.asarray(given.source.labels)[rows])


def _memory(
    given: Compared, rows: Array, after: Array, target: Array, model: Trained, seed: int
) -> Memorisation | None:
    """Whether translated pictures are copies of target pictures other than their partners."""
    if given.paired:
        left = np.setdiff1d(np.arange(len(given.target)), rows)[:MOST_SQUARES]
        target = squares(given.target, left, model.crop, model.channels, seed)
    return memorisation(after, target, seed) if len(target) >= FEWEST_OF_COPIES else None


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


def _translated(given: Compared, rows: Array, model: Trained, context: JobContext) -> Array:
    """Whole pictures, translated, uint8 (rows, height, width, channels)."""
    found = np.empty((len(rows), *given.source.shape[:2], model.channels), np.uint8)
    for number, row in enumerate(rows):
        if number % 50 == 0 and (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at picture {number} of {len(rows)}: {reason}")
        picture = fitted(given.source.images[row : row + 1], model.channels)[0]
        found[number] = translated(model.draw, picture, model.size)
        done = number + 1
        if done % 50 == 0 or done == len(rows):
            context.report(Progress(done, len(rows), f"picture {done}/{len(rows)}"))
    return found
