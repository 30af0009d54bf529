"""Turns every text into numbers: the mean of its tokens' last hidden states."""

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from jobs.context import JobContext
from jobs.datasets.images.image_set import EPOCH
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.pretrained.tokens import Array
from jobs.transformer.asked import cuts_of
from jobs.transformer.asking import embedder
from jobs.transformer.bulk.asked import Rows
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.windows import Window, ahead, computed, windows
from jobs.transformer.uses import EmbedTexts, TextEmbeddings

#: Bytes of the embeddings that are in memory at once when they are put into one file.
BLOCK = 2**22


class EmbeddingShard:
    """The embeddings of consecutive rows, float32, one after the other and nothing else."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, window: Window, embeddings: Array) -> None:
        """Writes those of a window, float32 (rows, hidden); NaN, of a row without a text, becomes 0."""
        self._file.write(np.nan_to_num(embeddings, copy=False, nan=0.0).tobytes())

    def close(self) -> None:
        """Ends the file."""
        self._file.close()


def run(spec: EmbedTexts, context: JobContext) -> TextEmbeddings:
    """Saves `embeddings.npz` with `embeddings`, float32 (rows, hidden); a row without a text is all zero.

    It goes on from the windows whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the texts cannot be loaded or used, or there is no text; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    bulk, dim = _computed(spec, context, Rows(spec, context), Choice.of("auto", spec.precision))
    return _whole(spec, context, bulk.shards, dim)


def cuts(spec: EmbedTexts, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between windows, all parts with the engine that is best here."""
    return cuts_of(spec, context, Choice.of("auto", spec.precision))


def compute(spec: EmbedTexts, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the embeddings."""
    choice = Choice.of(**part.choices)
    bulk, dim = _computed(spec, context, Rows(spec, context, part), choice)
    return bulk.part_result(dim=dim)


def join(spec: EmbedTexts, context: JobContext, pieces: Sequence[Piece]) -> TextEmbeddings:
    """See `jobs.dividing.parts`: the file of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    return _whole(spec, context, shards, int(pieces[0].facts["dim"]))


def _computed(spec: EmbedTexts, context: JobContext, rows: Rows, choice: Choice) -> tuple[Bulk, int]:
    """What is computed of all rows, and the numbers in an embedding."""
    model = embedder(spec, spec.normalize, choice, context)
    bulk = Bulk(spec, context, choice, rows.first, rows.end, ".f32", spec.checkpoint_seconds, model.said)
    bulk.resume()

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        found = ahead(windows(rows, model.tokenizer, spec.batch_size, first))
        return computed(model.engine, found, model.dim, go_on)

    bulk.run(compute, EmbeddingShard)
    return bulk, model.dim


def _whole(spec: EmbedTexts, context: JobContext, shards: Sequence[Path], dim: int) -> TextEmbeddings:
    rows = sum(path.stat().st_size for path in shards) // (4 * dim)
    # Every embedding of a text has a number other than 0, as layer normalisation leaves none without.
    unembedded = sum(int((~part.any(axis=1)).sum()) for part in _parts(shards, dim))
    if unembedded == rows:
        raise Rows(spec, context).no_text(unembedded)
    path = context.folder / "embeddings.npz"
    _save(path, shards, (rows, dim))
    context.save_artifact(path.name, path)
    # Read once more: the embeddings say nothing of their texts.
    remarks = Counter(row.remark for row in Rows(spec, context) if row.remark)
    return TextEmbeddings(
        count=rows, embedding_dim=dim, unembedded=unembedded, remarks=dict(sorted(remarks.items()))
    )


def _save(path: Path, shards: Sequence[Path], shape: tuple[int, int]) -> None:
    """Equal embeddings make equal files, byte for byte, however the shards were cut."""
    header = io.BytesIO()
    about = {"descr": npy.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, about)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        archive.open(zipfile.ZipInfo("embeddings.npy", EPOCH), "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for part in _parts(shards, shape[1]):
            member.write(part.tobytes())


def _parts(shards: Sequence[Path], dim: int) -> Iterator[Array]:
    rows = max(1, BLOCK // (4 * dim))
    for shard in shards:
        with shard.open("rb") as file:
            while block := file.read(4 * dim * rows):
                yield np.frombuffer(block, np.float32).reshape(-1, dim)
