"""Computes the most probable words for the masks of many texts, and writes them in shards."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from jobs.selfsupervised.text.asking import Asked
from jobs.selfsupervised.text.preparing import Reading
from jobs.selfsupervised.text.spec import MASK
from jobs.transformer.bulk import tables
from jobs.transformer.bulk.engine import Batch
from jobs.transformer.bulk.windows import Window

Array = np.ndarray[Any, Any]

#: Masks of a text that are filled; of more the first ones.
MASKS = 16
MORE = "more masks"
#: Places are filled up to a multiple of this, so that there are few shapes.
_PLACES = 64
SCHEMA = pyarrow.schema(
    [
        ("row", pyarrow.int64()),
        ("text", pyarrow.string()),
        ("filled", pyarrow.string()),
        ("words", pyarrow.string()),
        ("masks", pyarrow.int32()),
        ("remark", pyarrow.string()),
    ]
)


@dataclass(frozen=True)
class Filling:
    """An engine (`jobs.transformer.bulk.engine.Engine`) that tells words for masks.

    An output has for each of `MASKS` masks `top` numbers of tokens, then as many probabilities, then how many
    masks the text has: float32 (batch, 2 * MASKS * top + 1); a token of -1 where there is no mask.

    Attributes:
        asked: the model.
        reading: how it reads.
        top: words for each mask.
    """

    asked: Asked
    reading: Reading
    top: int

    @property
    def columns(self) -> int:
        """Numbers in an output."""
        return 2 * MASKS * self.top + 1

    def run(self, batches: Iterable[Batch]) -> Iterator[Array]:
        """See `Engine.run`."""
        for tokens, lengths in batches:
            yield self._batch(np.asarray(tokens), np.asarray(lengths))

    def _batch(self, tokens: Array, lengths: Array) -> Array:
        there = (tokens == self.reading.words.mask) & (np.arange(tokens.shape[1]) < lengths[:, None])
        row, place = np.nonzero(there)
        order = np.arange(len(row)) - np.searchsorted(row, row)  # which mask of its text
        output = np.zeros((len(tokens), self.columns), np.float32)
        found = output[:, :-1].reshape(len(tokens), 2, MASKS, self.top)
        found[:, 0] = -1
        output[:, -1] = there.sum(1)
        kept = order < MASKS
        row, place, order = row[kept], place[kept], order[kept]
        if len(row):
            at = np.zeros(-(-len(row) // _PLACES) * _PLACES, np.int32)
            at[: len(row)] = row * tokens.shape[1] + place
            words, shares = self.asked.probable(tokens, lengths, at, self.top)
            found[row, 0, order], found[row, 1, order] = words[: len(row)], shares[: len(row)]
        return output


class FilledShard:
    """A Parquet file of consecutive rows.

    Args:
        path: where it is written.
        filling: whose outputs it takes.
    """

    def __init__(self, path: Path, filling: Filling) -> None:
        self._filling = filling
        self._mask = str(filling.reading.texts.hugging_face.mask_token)
        self._writer = parquet.ParquetWriter(path, SCHEMA)

    def add(self, window: Window, outputs: Array) -> None:
        """Writes the rows of a window; outputs are NaN where there is no text."""
        rows = [
            self._row(text, remark, output)
            for text, remark, output in zip(window.texts, window.remarks, outputs, strict=True)
        ]
        columns = list(zip(*rows, strict=True))
        arrays = [
            pyarrow.array(np.arange(window.first, window.end)),
            *(
                pyarrow.array(column, field.type)
                for column, field in zip(columns, list(SCHEMA)[1:], strict=True)
            ),
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=SCHEMA))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()

    def _row(self, text: str | None, remark: str, output: Array) -> tuple[Any, ...]:
        if text is None:
            return None, None, None, 0, remark
        masks = int(output[-1])
        numbers, shares = output[:-1].reshape(2, MASKS, self._filling.top)
        words = [self._words(numbers[mask], shares[mask]) for mask in range(min(masks, MASKS))]
        if masks > MASKS:
            remark = f"{remark}, {MORE}" if remark else MORE
        shown = text.replace(self._mask, MASK)
        filled = shown
        for found in words:
            filled = filled.replace(MASK, found[0][0], 1)
        return shown, filled, json.dumps(words, ensure_ascii=False), masks, remark

    def _words(self, numbers: Array, shares: Array) -> list[tuple[str, float]]:
        decode = self._filling.reading.tokenizer.decode
        words = [decode([int(number)]) for number in numbers]
        return [
            (word.removeprefix("##").strip() or word, round(float(share), 4))
            for word, share in zip(words, shares, strict=True)
        ]


def batches_in(shards: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[Any]:
    """The rows of all shards, some at a time."""
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            yield from file.iter_batches(tables.GROUP, columns=columns)
