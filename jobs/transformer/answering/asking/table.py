"""The table of answers: in shards while a job goes on, then as one file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from jobs.transformer.answering.asking.asked import Asked
from jobs.transformer.answering.asking.blocks import Block
from jobs.transformer.answering.documents.spans import Span

#: Characters of a question that are shown.
SHOWN = 1_000
SCHEMA = pyarrow.schema(
    [
        ("row", pyarrow.int64()),
        ("id", pyarrow.string()),
        ("question", pyarrow.string()),
        ("answer", pyarrow.string()),
        ("start", pyarrow.int64()),
        ("end", pyarrow.int64()),
        ("score", pyarrow.float64()),
        ("document", pyarrow.int64()),
        ("title", pyarrow.string()),
        ("window", pyarrow.int64()),
        ("n_best", pyarrow.string()),
        ("remark", pyarrow.string()),
    ]
)


class AnswerShard:
    """A Parquet file of consecutive rows.

    Args:
        path: where it is written.
        threshold: score that an answer has to be above; None: every question is answered.
    """

    def __init__(self, path: Path, threshold: float | None) -> None:
        self._threshold = threshold
        self._writer = parquet.ParquetWriter(path, SCHEMA)

    def add(self, block: Block, spans: list[list[Span]]) -> None:
        """Writes the rows of a block.

        Args:
            block: the next rows.
            spans: of each row, the best first.
        """
        numbered = enumerate(zip(block.asked, spans, block.remarks, strict=True), start=block.first)
        rows = [self._row(number, *each) for number, each in numbered]
        self._writer.write_table(pyarrow.Table.from_pylist(rows, schema=SCHEMA))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()

    def _row(self, number: int, asked: Asked, spans: Sequence[Span], remark: str) -> dict[str, Any]:
        context, best = asked.context or "", spans[0] if spans else None
        given = best is not None and (self._threshold is None or best.score > self._threshold)
        answer = (
            {"answer": context[best.begin : best.end], "start": best.begin, "end": best.end} if best else {}
        )
        return {
            "row": number,
            "id": asked.id or None,
            "question": asked.question and asked.question[:SHOWN],
            **(answer if given else {}),
            "score": best.score if best else None,
            "document": asked.document,
            "title": asked.title or None,
            "window": best.window if best and given else None,
            "n_best": _n_best(context, spans),
            "remark": remark,
        }


def _n_best(context: str, spans: Sequence[Span]) -> str:
    """The best spans as JSON, each with its text, its characters, its score and its window."""
    found = [
        {
            "answer": context[span.begin : span.end],
            "start": span.begin,
            "end": span.end,
            "score": round(span.score, 4),
            "window": span.window,
        }
        for span in spans
    ]
    return json.dumps(found, ensure_ascii=False)


def answers_in(shards: Sequence[Path]) -> list[str | None]:
    """The answer of each row, in order; None where none is given."""
    return [answer for shard in shards for answer in parquet.read_table(shard)["answer"].to_pylist()]


def missing(shards: Sequence[Path], column: str) -> int:
    """Rows without a value in a column."""
    count = 0
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            count += sum(batch.column(0).null_count for batch in file.iter_batches(columns=[column]))
    return count
