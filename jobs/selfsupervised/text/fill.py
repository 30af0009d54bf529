"""Fills in the masked words of texts, and writes a table of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import BadInput
from jobs.pretrained.sources import checkpoint_of
from jobs.selfsupervised.text import filling
from jobs.selfsupervised.text.asking import Asked, loaded
from jobs.selfsupervised.text.filling import SCHEMA, FilledShard, Filling
from jobs.selfsupervised.text.preparing import read
from jobs.selfsupervised.text.rows import Rows
from jobs.selfsupervised.text.spec import FilledText, FillText
from jobs.training import machine
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.held import held
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.tables import assemble
from jobs.transformer.bulk.windows import Window, ahead, computed, ends, windows

Array = np.ndarray[Any, Any]


def run(spec: FillText, context: JobContext) -> FilledText:
    """Saves `filled.parquet`, or `filled.csv`: row, text, filled, words (JSON), masks, remark.

    It goes on from the windows whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the texts cannot be loaded or used, or no text has a mask; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began = time.monotonic()
    model = _model(spec, machine.precision(spec.precision), context)
    bulk = _computed(spec, context, model, Rows(spec, context, _mask(model)))
    return _whole(spec, context, bulk.shards, time.monotonic() - began)


def cuts(spec: FillText, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between windows, all parts in the precision that is best here."""
    precision = machine.precision(spec.precision)
    model = _model(spec, precision, context)
    rows = Rows(spec, context, _mask(model))
    return Cuts(ends(rows, model.reading.texts.max_length, spec.batch_size), choices={"precision": precision})


def compute(spec: FillText, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the table."""
    began = time.monotonic()
    model = _model(spec, str(part.choices["precision"]), context)
    bulk = _computed(spec, context, model, Rows(spec, context, _mask(model), part))
    return bulk.part_result(seconds=time.monotonic() - began)


def join(spec: FillText, context: JobContext, pieces: Sequence[Piece]) -> FilledText:
    """See `jobs.dividing.parts`: the table of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    return _whole(spec, context, shards, sum(float(piece.facts["seconds"]) for piece in pieces))


def _computed(spec: FillText, context: JobContext, model: Filling, rows: Rows) -> Bulk:
    choice = Choice("tensorflow", model.asked.precision)
    bulk = Bulk(spec, context, choice, rows.first, rows.end, ".parquet", spec.checkpoint_seconds)
    bulk.resume()

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        found = ahead(windows(rows, model.reading.texts, spec.batch_size, first))
        return computed(model, found, model.columns, go_on)

    bulk.run(compute, lambda path: FilledShard(path, model))
    return bulk


def _whole(spec: FillText, context: JobContext, shards: Sequence[Path], seconds: float) -> FilledText:
    remarks, rows, unfilled, unmasked = Counter[str](), 0, 0, 0
    for batch in filling.batches_in(shards, ["text", "masks", "remark"]):
        rows += len(batch)
        empty = batch.column("text").null_count
        unfilled += empty
        unmasked += batch.column("masks").to_pylist().count(0) - empty
        remarks.update(remark for remark in batch.column("remark").to_pylist() if remark)
    if unfilled + unmasked == rows:
        raise BadInput(f"none of the {rows} texts has a [MASK] to be filled; put it in place of a word")
    path = context.folder / f"filled.{spec.output}"
    assemble(shards, path, SCHEMA)
    context.save_artifact(path.name, path)
    found = filling.batches_in(shards, ["filled"]) if spec.texts else ()
    return FilledText(
        rows=rows,
        unfilled=unfilled,
        unmasked=unmasked,
        remarks=dict(sorted(remarks.items())),
        filled=[text for batch in found for text in batch.column(0).to_pylist()],
        seconds=seconds,
    )


def _mask(model: Filling) -> str:
    return str(model.reading.texts.hugging_face.mask_token)


def _model(spec: FillText, precision: str, context: JobContext) -> Filling:
    """The model with its tokenizer, which stays in memory between jobs."""

    def find() -> Path:
        return checkpoint_of(spec.model, spec.pretrained or "", context)

    def read_model(folder: Path) -> Filling:
        reading = read(folder, spec.max_length)
        found = loaded(folder, spec.model or str(spec.pretrained))
        if spec.top > len(reading.words.ordinary):
            raise BadInput(f"top is {spec.top}, and the model has {len(reading.words.ordinary)} words")
        asked = Asked(found, precision, reading.words.hidden_never)
        return Filling(asked, reading, spec.top)

    what = f"filling {spec.max_length} {spec.top} {precision}"
    return held(what, spec.model, find, context, read_model)
