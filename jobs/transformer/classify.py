"""Tells the class of every text, and writes a table of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jobs.context import JobContext
from jobs.dividing.parts import Cuts, Part, PartResult, Piece, together
from jobs.pretrained.tokens import Array
from jobs.transformer import predictions
from jobs.transformer.asked import class_names_of, cuts_of, model_folder
from jobs.transformer.asking import classifier
from jobs.transformer.bulk.asked import Rows
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.tables import assemble, counts_of
from jobs.transformer.bulk.windows import Window, ahead, computed, windows
from jobs.transformer.predictions import PredictionShard
from jobs.transformer.uses import Classification, ClassifyTexts


def run(spec: ClassifyTexts, context: JobContext) -> Classification:
    """Saves `predictions.parquet`, or `predictions.csv`: see `jobs.transformer.predictions.schema_of`.

    It goes on from the windows whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the texts cannot be loaded or used, or there is no text; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began = time.monotonic()
    choice = Choice.of(spec.engine, spec.precision)
    names = classifier(spec, choice, context).names
    bulk = _computed(spec, context, Rows(spec, context), choice)
    seconds = time.monotonic() - began
    return _whole(spec, context, names, bulk.shards, str(choice), seconds, bulk.rows_per_second)


def cuts(spec: ClassifyTexts, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between windows, all parts with the engine that is best here."""
    return cuts_of(spec, context, Choice.of(spec.engine, spec.precision))


def compute(spec: ClassifyTexts, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the table."""
    began = time.monotonic()
    choice = Choice.of(**part.choices)
    bulk = _computed(spec, context, Rows(spec, context, part), choice)
    return bulk.part_result(engine=str(choice), seconds=time.monotonic() - began)


def join(spec: ClassifyTexts, context: JobContext, pieces: Sequence[Piece]) -> Classification:
    """See `jobs.dividing.parts`: the table of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    seconds = sum(float(piece.facts["seconds"]) for piece in pieces)
    rate = pieces[-1].part.end / max(seconds, 1e-9)
    names = class_names_of(model_folder(spec, context))
    return _whole(spec, context, names, shards, together(pieces, "engine"), seconds, rate)


def _computed(spec: ClassifyTexts, context: JobContext, rows: Rows, choice: Choice) -> Bulk:
    model = classifier(spec, choice, context)
    names = model.names
    bulk = Bulk(spec, context, choice, rows.first, rows.end, ".parquet", spec.checkpoint_seconds, model.said)
    bulk.resume()

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        found = ahead(windows(rows, model.tokenizer, spec.batch_size, first))
        return computed(model.engine, found, len(names), go_on)

    bulk.run(compute, lambda path: PredictionShard(path, names))
    return bulk


def _whole(
    spec: ClassifyTexts,
    context: JobContext,
    names: Sequence[str],
    shards: Sequence[Path],
    engine: str,
    seconds: float,
    rows_per_second: float,
) -> Classification:
    labels = counts_of(shards, "label")
    remarks = counts_of(shards, "remark")
    rows, unclassified = labels.total(), labels.pop(None, 0)
    if not labels:
        raise Rows(spec, context).no_text(unclassified)
    path = context.folder / f"predictions.{spec.output}"
    assemble(shards, path, predictions.schema_of(names))
    context.save_artifact(path.name, path)
    return Classification(
        rows=rows,
        unclassified=unclassified,
        remarks={str(remark): count for remark, count in sorted(remarks.items()) if remark},
        labels={name: labels[name] for name in names},
        predictions=predictions.labels_in(shards) if spec.texts else [],
        engine=engine,
        seconds=seconds,
        rows_per_second=rows_per_second,
    )
