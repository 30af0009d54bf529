"""Writes the embedding of every image, batch by batch."""

import io
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from jobs.checkpoint import Checkpoint, digest_of_spec
from jobs.context import JobContext, Progress
from jobs.datasets.images import EPOCH, ImageSet
from jobs.errors import Stopped
from jobs.selfsupervised.fitting import fitted
from jobs.selfsupervised.learner import ROWS, Array
from jobs.selfsupervised.methods import load
from jobs.selfsupervised.spec import EmbeddingsResult, EncodeImages

#: Images between two looks at whether to stop, and rows in a group of the Parquet file.
BLOCK = 16 * ROWS


def run(spec: EncodeImages, context: JobContext) -> EmbeddingsResult:
    """Saves `embeddings.npz` (`embeddings`, and `labels` and `class_names` if any) and `embeddings.parquet`.

    It goes on from the block of rows that the newest checkpoint holds.

    Raises:
        BadInput: the model is no self-supervised training, or its images are of another size.
        Stopped: asked to stop; the checkpoint is saved.
    """
    model = load(spec.model, context)
    data = context.image_set(spec.dataset)
    fitted(data.images[:1], model.shape, spec.dataset)
    dim = int(model.encoder.output.shape[1])
    # A file in memory's place: many rows of many numbers need not fit.
    embeddings = npy.open_memmap(
        context.folder / "embeddings.npy", "w+", np.dtype(np.float32), (len(data), dim)
    )
    found = context.load_checkpoint()
    done = found.step if found else 0
    if found:
        embeddings[:done] = found.arrays["embeddings"]
    saved = time.monotonic()
    while done < len(data):
        end = min(done + BLOCK, len(data))
        embeddings[done:end] = model.embed(fitted(data.images[done:end], model.shape, spec.dataset))
        done = end
        context.report(Progress(done, len(data), f"image {done}/{len(data)}"))
        reason = context.should_stop() if done < len(data) else None
        due = time.monotonic() - saved >= spec.checkpoint_seconds and not context.checkpoint_in_flight()
        if reason or (due and done < len(data)):
            context.save_checkpoint(_checkpoint(spec, embeddings, done))
            saved = time.monotonic()
        if reason:
            raise Stopped(f"stopped at image {done} of {len(data)}: {reason}")
    _save_npz(context.folder / "embeddings.npz", embeddings, data)
    _save_parquet(context.folder / "embeddings.parquet", embeddings, data)
    for name in ("embeddings.npz", "embeddings.parquet"):
        context.save_artifact(name, context.folder / name)
    return EmbeddingsResult(count=len(data), embedding_dim=dim)


def _checkpoint(spec: EncodeImages, embeddings: Array, done: int) -> Checkpoint:
    metadata = {"kind": spec.kind, "spec": digest_of_spec(spec)}
    return Checkpoint(done, {"embeddings": np.array(embeddings[:done])}, metadata)


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
