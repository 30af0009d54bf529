"""Tells the class of every image, and writes a table of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jobs.context import JobContext
from jobs.datasets.images.image_set import ImageSet
from jobs.dividing.parts import Cuts, Part, PartResult, Piece, together
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.tables import assemble, counts_of
from jobs.transformer.vision import asking
from jobs.transformer.vision.asking import Array, Stretch, classifier
from jobs.transformer.vision.table import Shard, schema_of
from jobs.transformer.vision.uses import ClassifyImages, ImageClassification


def run(spec: ClassifyImages, context: JobContext) -> ImageClassification:
    """Saves `predictions.parquet`, or `predictions.csv`: see `jobs.transformer.vision.table.schema_of`.

    It goes on from the windows whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the images cannot be loaded, or are of different sizes; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began = time.monotonic()
    data, choice = context.image_set(spec.dataset), Choice.of(spec.engine, spec.precision)
    bulk = _computed(spec, context, data, choice, 0, len(data))
    seconds = time.monotonic() - began
    return _whole(spec, context, data, bulk.shards, str(choice), seconds, bulk.rows_per_second)


def cuts(spec: ClassifyImages, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between windows, all parts in the precision that is best here."""
    choice = Choice.of(spec.engine, spec.precision)
    found = Cuts.every(asking.BLOCK, len(context.image_set(spec.dataset)))
    return Cuts(found.ends, choices={"library": choice.library, "precision": choice.precision})


def compute(spec: ClassifyImages, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the table."""
    began = time.monotonic()
    choice = Choice(**part.choices)
    bulk = _computed(spec, context, context.image_set(spec.dataset), choice, part.first, part.end)
    return bulk.part_result(engine=str(choice), seconds=time.monotonic() - began)


def join(spec: ClassifyImages, context: JobContext, pieces: Sequence[Piece]) -> ImageClassification:
    """See `jobs.dividing.parts`: the table of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    seconds = sum(float(piece.facts["seconds"]) for piece in pieces)
    rate = pieces[-1].part.end / max(seconds, 1e-9)
    data = context.image_set(spec.dataset)
    return _whole(spec, context, data, shards, together(pieces, "engine"), seconds, rate)


def _computed(
    spec: ClassifyImages, context: JobContext, data: ImageSet, choice: Choice, first: int, end: int
) -> Bulk:
    model = classifier(spec, data.shape[:2], choice, context)
    bulk = Bulk(spec, context, choice, first, end, ".parquet", spec.checkpoint_seconds)
    bulk.resume()

    def compute(row: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Stretch, Array]]:
        return asking.computed(model, data, spec.dataset, range(row, end), go_on)

    bulk.run(compute, lambda path: Shard(path, model.plan.class_names, data))
    return bulk


def _whole(
    spec: ClassifyImages,
    context: JobContext,
    data: ImageSet,
    shards: Sequence[Path],
    engine: str,
    seconds: float,
    rows_per_second: float,
) -> ImageClassification:
    names = classifier(spec, data.shape[:2], Choice.of(spec.engine, spec.precision), context).plan.class_names
    path = context.folder / f"predictions.{spec.output}"
    assemble(shards, path, schema_of(names, data.labels is not None))
    context.save_artifact(path.name, path)
    labels = counts_of(shards, "label")
    return ImageClassification(
        rows=len(data),
        labels={name: labels[name] for name in names},
        engine=engine,
        seconds=seconds,
        rows_per_second=rows_per_second,
    )
