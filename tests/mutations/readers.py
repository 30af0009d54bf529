"""Every reader of what comes from outside: a valid input of it, and what must hold of whatever it reads."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from jobs import catalog
from jobs.datasets.images.packing import pack
from jobs.datasets.texts.intake import take
from jobs.datasets.texts.rows import rows
from jobs.errors import BadInput
from tests.mutations.changes import BYTES, TEXT, Change, json_changed

TEXTS = [(f"a text, number {n}", ("good", "bad", "so so")[n % 3]) for n in range(30)]
SPEC = {
    "kind": "transformer.finetune",
    "pretrained": "tiny",
    "texts": ["love", "hate"] * 4,
    "epochs": 2,
    "labels": ["yes", "no"] * 4,
    "limits": {"attempts": 3},
    "validation": 0.2,
    "class_weights": "balanced",
}
SETTINGS = {
    "TRIPTYCH_REDIS_URL": b"redis://:s3cr3t-word@127.0.0.1:6379/0",
    "TRIPTYCH_S3_URL": b"http://127.0.0.1:9000",
    "TRIPTYCH_REDIS_TIMEOUT": b"5.0",
    "TRIPTYCH_SLOTS": b"2",
    "TRIPTYCH_SLOT_MEMORY": b"6GiB",
}


_PICTURES = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), dtype=np.uint8)


class WrongResult(Exception):
    """Something was read that is not what the file holds."""


@dataclass(frozen=True)
class Input:
    """One file, or setting, that is changed.

    Attributes:
        reader: what it is tallied under.
        write: puts the valid input into an empty folder and returns the file to be changed.
        read: reads the folder's changed file; raises `WrongResult` if it can be told that something is wrong.
        changes: how it may be changed.
        named: what a refusal has to name, one of these.
        weight: how often it is tried.
    """

    reader: str
    write: Callable[[Path], Path]
    read: Callable[[Path], None]
    changes: tuple[Change, ...] = BYTES
    named: Callable[[Path], tuple[str, ...]] = lambda path: (path.name, path.parent.name)
    weight: int = 4


def inputs() -> list[Input]:
    """All there are."""
    return [
        *(Input(f"images {kind}", _picture(kind), _read_pictures) for kind in ("png", "jpeg", "gif", "tiff")),
        Input("archive .npz", _archive, _read_archive, weight=6),
        *(Input(f"texts {kind}", _table(kind), _read_texts, TEXT, weight=8) for kind in (".csv", ".tsv")),
        Input("texts .jsonl", _table(".jsonl"), _read_texts, TEXT, weight=8),
        Input("texts .parquet", _table(".parquet"), _read_texts, weight=8),
        *(
            Input(f"checkpoint {name}", _checkpoint(name), _read_checkpoint, (*BYTES, json_changed), weight=5)
            for name in ("config.json", "tokenizer.json", "tokenizer_config.json")
        ),
        Input("checkpoint model.safetensors", _checkpoint("model.safetensors"), _read_checkpoint),
        Input("spec", _spec, _read_spec, (*TEXT, json_changed, json_changed, json_changed), weight=12),
        *(
            Input("settings", _setting(name), _read_settings, named=_variable(name), weight=2)
            for name in SETTINGS
        ),
    ]


def _picture(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for label in ("cat", "dog"):
            (folder / label).mkdir()
        for number, pixels in enumerate(_PICTURES):
            label = "cat" if number < 3 else "dog"
            Image.fromarray(pixels).save(folder / label / f"{number}.{kind}")
        return folder / "cat" / f"1.{kind}"

    return write


def _read_pictures(path: Path) -> None:
    folder = path.parent.parent
    found = pack(folder)
    others = sorted(file for file in folder.rglob("*.*") if file != path)
    if len(found) not in (len(others), len(others) + 1) or found.labels is None:
        raise WrongResult(f"{len(found)} images of {len(others) + 1} files")
    if len(found) == len(others) and not any(path.name in note for note in found.notes):
        raise WrongResult(f"{path.name} is left out without a word")
    same = found.shape == _PICTURES.shape[1:] and np.array_equal(found.images[1], _PICTURES[1])
    whole = path.suffix != ".png" or _is_whole_png(path.read_bytes())  # of others, nothing says so
    if len(found) > len(others) and not (same or whole):
        raise WrongResult("a damaged PNG was taken for another picture")


def _is_whole_png(content: bytes) -> bool:
    """Whether the check sums of all chunks up to the end are right."""
    place = 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunk, kind = content[place + 4 : place + 8 + length], content[place + 4 : place + 8]
        ending = content[place + 8 + length : place + 12 + length]
        # A chunk in small letters is one that a reader may do without.
        if kind.isupper() and zlib.crc32(chunk) != int.from_bytes(ending, "big"):
            return False
        if kind == b"IEND":
            return True
        place += 12 + length
    return False


def _archive(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    np.savez_compressed(folder / "mine.npz", images=images, labels=np.arange(6) % 2)
    return folder / "mine.npz"


def _read_archive(path: Path) -> None:
    found = pack(path)
    if found.images.dtype != np.uint8 or found.images.ndim != 4 or not len(found):
        raise WrongResult(f"images of {found.images.dtype} {found.images.shape}")
    if found.labels is not None and not 0 <= found.labels.min() <= found.labels.max() < len(
        found.class_names
    ):
        raise WrongResult(f"labels up to {found.labels.max()} of {len(found.class_names)} classes")


def _table(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"mine{suffix}"
        if suffix == ".jsonl":
            lines = [json.dumps({"text": text, "label": label}) for text, label in TEXTS]
            path.write_text("\n".join(lines) + "\n")
        elif suffix == ".parquet":
            import pyarrow
            from pyarrow import parquet

            texts, labels = zip(*TEXTS, strict=True)
            parquet.write_table(pyarrow.table({"text": texts, "label": labels}), path)
        else:
            import csv

            with path.open("w", newline="") as file:
                writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",")
                writer.writerows([("text", "label"), *TEXTS])
        return path

    return write


def _read_texts(path: Path) -> None:
    from jobs.transformer.labelled import of_file

    inside = path.parent / "taken"
    inside.mkdir()
    taken = take(path, inside)
    if taken.count < 1:  # as an upload does
        raise BadInput(f"{path} has no row; a file of texts needs at least one")
    (target,) = inside.iterdir()
    read = {column: sum(1 for _ in rows(target, column, path.name)) for column in taken.columns}
    if any(count != taken.count for count in read.values()):
        raise WrongResult(f"{taken.count} rows were said, and {read} are read")
    found = of_file(target, path.name, "text", "label", "skip")
    if len(found.texts) + sum(found.left_out.values()) != taken.count:
        raise WrongResult(f"{len(found.texts)} of {taken.count} rows, left out {dict(found.left_out)}")
    for words in (*found.texts, *found.class_names):
        words.encode()  # half a character would end whatever writes it


def _checkpoint(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from jobs.pretrained.built import tiny

        tiny.write(folder)
        return folder / name

    return write


def _read_checkpoint(path: Path) -> None:
    from jobs.pretrained.built.tiny import HIDDEN
    from jobs.pretrained.models import load
    from jobs.pretrained.tokens import Tokenizer
    from jobs.transformer.bulk.engine import Choice, embedding

    loaded = load(path.parent, 2)
    tokens, lengths = Tokenizer(path.parent, 8).flat(["love you, love me"])
    batch = (tokens[np.newaxis], lengths)
    (found,) = embedding(loaded, False, Choice("tensorflow", "float32")).run([batch])
    if found.shape != (1, HIDDEN) or not np.isfinite(found).all():
        raise WrongResult(f"an embedding {found.shape} of which not all is finite")


def _spec(folder: Path) -> Path:
    (folder / "mine.json").write_text(json.dumps(SPEC))
    return folder / "mine.json"


def _read_spec(path: Path) -> None:
    from scheduler.cli.fields import spec_from

    spec = spec_from([], path)
    if catalog.parse(json.loads(json.dumps(spec.to_wire()))) != spec:
        raise WrongResult("a spec that its own JSON does not make again")


def _setting(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(SETTINGS[name])
        return folder / name

    return write


def _read_settings(path: Path) -> None:
    from scheduler.settings import RedisSettings, StoreSettings, WorkerSettings, load

    with _environment({path.name: os.fsdecode(path.read_bytes().replace(b"\x00", b""))}):
        redis = load(RedisSettings)
        load(WorkerSettings)
        load(StoreSettings).endpoint  # noqa: B018 - it is where the address is looked at
    if redis.redis_timeout <= 0:
        raise WrongResult("a time to wait that is none")


@contextmanager
def _environment(changed: dict[str, str]) -> Iterator[None]:
    usual = {name: value.decode() for name, value in SETTINGS.items()}
    usual |= {"TRIPTYCH_S3_ACCESS_KEY": "key", "TRIPTYCH_S3_SECRET_KEY": "another-s3cr3t"}
    before = dict(os.environ)
    os.environ.update(usual | changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _variable(name: str) -> Callable[[Path], tuple[str, ...]]:
    return lambda path: (name,)
