"""Some answers of a job as a picture, whatever pieces its table came in."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pyarrow import parquet

from jobs.transformer.answering.asking.asked import Questions
from jobs.transformer.answering.documents.spans import Span
from jobs.transformer.answering.drawing import chosen, picture
from jobs.transformer.answering.scoring.scores import Answered

#: Rows among which those that are shown are chosen.
ROWS = 1_000


def shown(shards: Sequence[Path], questions: Questions) -> bytes:
    """A picture of some of the first rows that have spans, as many as a picture has room for.

    Args:
        shards: of the table, in order; one row at least has spans.
        questions: of the job.
    """
    rows = [row for row in islice(_rows(shards), ROWS) if row["score"] is not None]
    wanted = {row["row"]: row for row in (rows[number] for number in chosen(len(rows)))}
    told, spans = [], []
    for number, asked in enumerate(islice(iter(questions), max(wanted, default=-1) + 1)):
        if (row := wanted.get(number)) is None:
            continue
        found = json.loads(row["n_best"])
        text = asked.context or ""
        told.append(Answered(asked.question or "", text, (), row["answer"] or "", row["score"], ""))
        spans.append([Span(each["score"], each["start"], each["end"], each["window"]) for each in found])
    return picture(told, spans, "answers in their sentences", known=False)


def _rows(shards: Sequence[Path]) -> Iterator[dict[str, Any]]:
    columns = ["row", "answer", "score", "n_best"]
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(256, columns=columns):
                yield from batch.to_pylist()
