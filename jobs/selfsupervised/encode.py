"""Writes the embedding of every image, batch by batch."""

import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import JobContext, Progress
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import EPOCH, ImageSet
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import Stopped
from jobs.selfsupervised.methods.building import load
from jobs.selfsupervised.methods.learner import ROWS
from jobs.selfsupervised.networks.shapes import Array
from jobs.selfsupervised.spec import EmbeddingsResult, EncodeImages

#: Images between two looks at whether to stop, and rows in a group of the Parquet file.
BLOCK = 16 * ROWS
#: File of the embeddings while they are computed.
_SHARD = "embeddings.npy"


def run(spec: EncodeImages, context: JobContext) -> EmbeddingsResult:
    """Saves `embeddings.npz` (`embeddings`, and `labels` and `class_names` if any) and `embeddings.parquet`.

    It goes on from the block of rows that the newest checkpoint holds.

    Raises:
        BadInput: the model is no self-supervised training, or its images are of another size.
        Stopped: asked to stop; the checkpoint is saved.
    """
    data = context.image_set(spec.dataset)
    embeddings = _embedded(spec, context, data, 0, len(data))
    return _whole(context, data, embeddings)


def cuts(spec: EncodeImages, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between blocks."""
    return Cuts.every(BLOCK, len(context.image_set(spec.dataset)))


def compute(spec: EncodeImages, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: one shard, the embeddings as NumPy keeps them."""
    embeddings = _embedded(spec, context, context.image_set(spec.dataset), part.first, part.end)
    embeddings.flush()
    context.save_shard(_SHARD, context.folder / _SHARD)
    return PartResult(shards=(_SHARD,))


def join(spec: EncodeImages, context: JobContext, pieces: Sequence[Piece]) -> EmbeddingsResult:
    """See `jobs.dividing.parts`: both files, of all shards."""
    data = context.image_set(spec.dataset)
    parts = [np.load(piece.shards[0], mmap_mode="r") for piece in pieces]
    embeddings = _in_a_file(context.folder / _SHARD, len(data), parts[0].shape[1])
    for piece, part in zip(pieces, parts, strict=True):
        embeddings[piece.part.first : piece.part.end] = part
    return _whole(context, data, embeddings)


def _embedded(spec: EncodeImages, context: JobContext, data: ImageSet, first: int, end: int) -> np.memmap:
    """The embeddings of some images; it goes on from the newest checkpoint."""
    model = load(spec.model, context)
    fitted(data.images[:1], model.shape, spec.dataset)
    total = end - first
    embeddings = _in_a_file(context.folder / _SHARD, total, int(model.encoder.output.shape[1]))
    found = context.load_checkpoint()
    done = found.step if found else 0
    if found:
        embeddings[:done] = found.arrays["embeddings"]
    saved = time.monotonic()
    while done < total:
        stop = min(done + BLOCK, total)
        images = data.images[first + done : first + stop]
        embeddings[done:stop] = model.embed(fitted(images, model.shape, spec.dataset))
        done = stop
        context.report(Progress(done, total, f"image {done}/{total}"))
        reason = context.should_stop() if done < total else None
        due = time.monotonic() - saved >= spec.checkpoint_seconds and not context.checkpoint_in_flight()
        if reason or (due and done < total):
            context.save_checkpoint(_checkpoint(spec, embeddings, done))
            saved = time.monotonic()
        if reason:
            raise Stopped(f"stopped at image {done} of {total}: {reason}")
    return embeddings


def _in_a_file(path: Path, rows: int, dim: int) -> np.memmap:
    # A file in memory's place: many rows of many numbers need not fit.
    return npy.open_memmap(path, "w+", np.dtype(np.float32), (rows, dim))


def _checkpoint(spec: EncodeImages, embeddings: Array, done: int) -> Checkpoint:
    metadata = {"kind": spec.kind, "spec": digest_of_spec(spec)}
    return Checkpoint(done, {"embeddings": np.array(embeddings[:done])}, metadata)


def _whole(context: JobContext, data: ImageSet, embeddings: Array) -> EmbeddingsResult:
    _save_npz(context.folder / "embeddings.npz", embeddings, data)
    _save_parquet(context.folder / "embeddings.parquet", embeddings, data)
    for name in ("embeddings.npz", "embeddings.parquet"):
        context.save_artifact(name, context.folder / name)
    return EmbeddingsResult(count=len(data), embedding_dim=embeddings.shape[1])


def _save_npz(path: Path, embeddings: Array, data: ImageSet) -> None:
    """Equal embeddings make equal files, byte for byte."""
    arrays = {"embeddings": embeddings}
    if data.labels is not None:
        arrays |= {"labels": data.labels, "class_names": np.array(data.class_names, dtype=np.str_)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as member:
                header = io.BytesIO()
                npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
                member.write(header.getvalue())
                for first in range(0, len(array), BLOCK):
                    member.write(np.ascontiguousarray(array[first : first + BLOCK]).tobytes())


def _save_parquet(path: Path, embeddings: Array, data: ImageSet) -> None:
    """Columns `row`, `embedding` (a list of fixed length), and with labels `label` and `class_name`."""
    import pyarrow
    from pyarrow import parquet

    dim = embeddings.shape[1]
    fields = [("row", pyarrow.int64()), ("embedding", pyarrow.list_(pyarrow.float32(), dim))]
    if data.labels is not None:
        fields += [("label", pyarrow.int64()), ("class_name", pyarrow.string())]
    schema = pyarrow.schema(fields)
    with parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, len(embeddings), BLOCK):
            part = np.ascontiguousarray(embeddings[first : first + BLOCK])
            columns = [
                pyarrow.array(np.arange(first, first + len(part))),
                pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(part.reshape(-1)), dim),
            ]
            if data.labels is not None:
                labels = data.labels[first : first + BLOCK]
                names = [data.class_names[label] for label in labels]
                columns += [pyarrow.array(labels), pyarrow.array(names)]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
