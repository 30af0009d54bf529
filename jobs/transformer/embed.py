"""Turns every text into numbers: the mean of its tokens' last hidden states."""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from jobs.context import JobContext
from jobs.datasets.images import EPOCH
from jobs.transformer.asked import Rows, model_folder
from jobs.transformer.bulk import Bulk
from jobs.transformer.engine import Choice, embedding
from jobs.transformer.models import load
from jobs.transformer.tokens import Array, Tokenizer
from jobs.transformer.uses import EmbedTexts, TextEmbeddings
from jobs.transformer.windows import Window, ahead, computed, windows

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
        BadInput: the model or the texts cannot be had or used, or there is no text; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    folder = model_folder(spec, context)
    rows = Rows(spec, context)
    tokenizer = Tokenizer(folder, spec.max_length)
    choice = Choice.of("auto", spec.precision)
    bulk = Bulk(spec, context, choice, rows.total, ".f32")
    bulk.resume()
    loaded = load(folder, 2)  # a head of two classes, which has no part in it
    dim = int(loaded.classifier.backbone.hidden_dim)
    engine = embedding(loaded, spec.normalize, choice)

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        found = ahead(windows(rows, tokenizer, spec.batch_size, first))
        return computed(engine, found, dim, go_on)

    bulk.run(compute, EmbeddingShard)
    # Every embedding of a text has a number other than 0, as layer normalisation leaves none without.
    unembedded = sum(int((~part.any(axis=1)).sum()) for part in _parts(bulk.shards, dim))
    if unembedded == bulk.done:
        raise rows.no_text(unembedded)
    path = context.folder / "embeddings.npz"
    _save(path, bulk.shards, (bulk.done, dim))
    context.save_artifact(path.name, path)
    return TextEmbeddings(count=bulk.done, embedding_dim=dim, unembedded=unembedded)


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
