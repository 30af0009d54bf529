"""Tells the class of every text, and writes a table of them."""

import time
from collections.abc import Callable, Iterator

from jobs.context import JobContext
from jobs.transformer import predictions
from jobs.transformer.asked import Rows, class_names_of, model_folder
from jobs.transformer.bulk import Bulk
from jobs.transformer.engine import Choice, classifying
from jobs.transformer.models import load
from jobs.transformer.predictions import PredictionShard
from jobs.transformer.tokens import Array, Tokenizer
from jobs.transformer.uses import Classification, ClassifyTexts
from jobs.transformer.windows import Window, ahead, computed, windows


def run(spec: ClassifyTexts, context: JobContext) -> Classification:
    """Saves `predictions.parquet`, or `predictions.csv`: see `jobs.transformer.predictions.schema_of`.

    It goes on from the windows whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the texts cannot be had or used, or there is no text; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began = time.monotonic()
    folder = model_folder(spec, context)
    names = class_names_of(folder)
    rows = Rows(spec, context)
    tokenizer = Tokenizer(folder, spec.max_length)
    choice = Choice.of(spec.engine, spec.precision)
    bulk = Bulk(spec, context, choice, rows.total, ".parquet")
    bulk.resume()
    engine = classifying(load(folder, len(names)), choice)

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        found = ahead(windows(rows, tokenizer, spec.batch_size, first))
        return computed(engine, found, len(names), go_on)

    bulk.run(compute, lambda path: PredictionShard(path, names))
    labels = predictions.counts_of(bulk.shards, "label")
    remarks = predictions.counts_of(bulk.shards, "remark")
    unclassified = labels.pop(None, 0)
    if not labels:
        raise rows.no_text(unclassified)
    path = context.folder / f"predictions.{spec.output}"
    predictions.assemble(bulk.shards, path, names)
    context.save_artifact(path.name, path)
    seconds = time.monotonic() - began
    return Classification(
        rows=bulk.done,
        unclassified=unclassified,
        remarks={str(remark): count for remark, count in sorted(remarks.items()) if remark},
        labels={name: labels[name] for name in names},
        predictions=predictions.labels_in(bulk.shards) if spec.texts else [],
        engine=str(choice),
        seconds=seconds,
        rows_per_second=bulk.rows_per_second,
    )
