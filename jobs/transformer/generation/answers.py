"""The table of answers: in shards while it goes on, then as one file."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from pyarrow import csv, parquet

from jobs.transformer.bulk.windows import Window
from jobs.transformer.decoder.generating import Answer
from jobs.transformer.decoder.layout import Array

#: Rows of a group in the Parquet file that people get. It is the same however the shards were cut.
GROUP = 65_536
#: One line for each answer; a prompt without a text has one, with no answer.
SCHEMA = pyarrow.schema(
    [
        ("row", pyarrow.int64()),
        ("answer", pyarrow.int32()),
        ("prompt", pyarrow.string()),
        ("text", pyarrow.string()),
        ("finish", pyarrow.string()),
        ("tokens", pyarrow.int32()),
        ("remark", pyarrow.string()),
    ]
)


class AnswerShard:
    """A Parquet file with the answers to consecutive prompts."""

    def __init__(self, path: Path) -> None:
        self._writer = parquet.ParquetWriter(path, SCHEMA)

    def add(self, window: Window, answers: Array) -> None:
        """Writes the answers to the prompts of a window.

        Args:
            window: the next prompts.
            answers: objects (prompts, answers): `Answer`, or None for a prompt without a text.
        """
        lines = [
            {
                "row": window.first + number,
                "answer": which,
                "prompt": window.texts[number],
                "text": answer and answer.text,
                "finish": answer and answer.finish,
                "tokens": answer and answer.tokens,
                "remark": window.remarks[number],
            }
            for number, found in enumerate(answers)
            for which, answer in enumerate(found)
            if answer is not None or which == 0
        ]
        self._writer.write_table(pyarrow.Table.from_pylist(lines, SCHEMA))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


def as_array(found: dict[tuple[int, int], Answer], prompts: int, answers: int) -> Array:
    """Answers by (prompt, which), as objects (prompts, answers)."""
    array: Array = np.full((prompts, answers), None, object)
    for place, answer in found.items():
        array[place] = answer
    return array


def assemble(shards: Sequence[Path], path: Path) -> None:
    """Writes all answers as one file, Parquet, CSV or JSON lines by its suffix, in bounded memory."""
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for table in _groups(shards):
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in table.to_pylist())
        return
    with (csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter)(path, SCHEMA) as writer:
        for table in _groups(shards):
            writer.write_table(table)


def _groups(shards: Sequence[Path]) -> Iterator[Any]:
    """Tables of `GROUP` rows each, and a last one of what is left."""
    held, rows = [SCHEMA.empty_table()], 0
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP):
                held.append(pyarrow.Table.from_batches([batch]))
                rows += len(batch)
                while rows >= GROUP:
                    table = pyarrow.concat_tables(held)
                    yield table[:GROUP].combine_chunks()
                    held, rows = [table[GROUP:]], rows - GROUP
    if rows:
        yield pyarrow.concat_tables(held).combine_chunks()


def counts_of(shards: Sequence[Path], column: str, *, prompts: bool = False) -> Counter[str | None]:
    """How many answers have each value of a column; if asked, how many prompts."""
    counts: Counter[str | None] = Counter()
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP, columns=["answer", column]):
                values = batch.column(1)
                if prompts:
                    values = values.filter(pyarrow.compute.equal(batch.column(0), 0))
                for found in pyarrow.compute.value_counts(values).to_pylist():
                    counts[found["values"]] += found["counts"]
    return counts


def tokens_in(shards: Sequence[Path]) -> int:
    """Tokens of all answers."""
    found = (parquet.read_table(shard, columns=["tokens"])["tokens"] for shard in shards)
    return sum(pyarrow.compute.sum(column).as_py() or 0 for column in found)


def texts_in(shards: Sequence[Path], prompts: int) -> list[list[str]]:
    """The answers to each prompt, in order; none to a prompt without a text."""
    found: list[list[str]] = [[] for _ in range(prompts)]
    for shard in shards:
        for line in parquet.read_table(shard, columns=["row", "text"]).to_pylist():
            if line["text"] is not None:
                found[line["row"]].append(line["text"])
    return found
