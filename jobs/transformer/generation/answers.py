"""The table of answers: in shards while it goes on, then as one file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
from pyarrow import parquet

from jobs.transformer.bulk.windows import Window
from jobs.transformer.decoder.generating import Answer
from jobs.transformer.decoder.layout import Array

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


def remarks_in(shards: Sequence[Path]) -> Counter[str]:
    """How many prompts have each remark."""
    counts: Counter[str] = Counter()
    for shard in shards:
        table = parquet.read_table(shard, columns=["answer", "remark"])
        first = table.filter(pyarrow.compute.equal(table["answer"], 0))
        counts.update(first["remark"].to_pylist())
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
