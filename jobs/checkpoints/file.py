"""The state from which a later attempt goes on exactly: flat named arrays in one safetensors file."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.errors import TriptychError

if TYPE_CHECKING:
    from jobs.spec import JobSpec

#: Names of NumPy's types in a safetensors file.
_TYPES = {
    "bool": "BOOL",
    "bfloat16": "BF16",
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}
#: Raised when the meaning of the file changes; a file of another format is refused.
FORMAT = "triptych-checkpoint-1"


class DamagedCheckpoint(TriptychError):
    """A checkpoint cannot be used: half written, changed since, or of another spec."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a later attempt needs to go on exactly.

    Attributes:
        step: training steps done.
        arrays: every variable by a unique name: weights, optimizer slots, seed states, metrics.
        metadata: versions and whatever else is worth knowing about the file; `spec` holds the
            digest of the spec that it belongs to.
        best: the best checkpoint so far, a file of its own; None if there is none, or if it is this one.
    """

    step: int
    arrays: Mapping[str, np.ndarray[Any, Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    best: "Checkpoint | None" = None


def digest_of_spec(spec: "JobSpec[Any]") -> str:
    """SHA-256 of a spec's canonical JSON, as hexadecimal digits."""
    text = json.dumps(spec.to_wire(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_state(arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names, as hexadecimal digits.

    Two states have the same digest if, and only if, they are equal bit for bit.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = _contiguous(arrays[name])
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(_bytes_of(array))
    return digest.hexdigest()


def pieces(checkpoint: Checkpoint) -> list[memoryview]:
    """The bytes of a checkpoint's file, one piece after the other; large arrays are not copied.

    A gigabyte takes its time twice: once for the digest, once for whoever takes the pieces. The library of
    safetensors would need it whole in memory, or on a disk, and would hold the interpreter meanwhile.
    """
    arrays = {name: _contiguous(array) for name, array in checkpoint.arrays.items()}
    about = {
        "format": FORMAT,
        "step": str(checkpoint.step),
        "metadata": json.dumps(dict(checkpoint.metadata), sort_keys=True),
        "sha256": _digest(checkpoint),
    }
    header: dict[str, Any] = {"__metadata__": about}
    parts, end = [], 0
    # The widest numbers first, so that each array begins at a multiple of its numbers' size.
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):
        array = arrays[name]
        header[name] = {
            "dtype": _TYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
        parts.append(_bytes_of(array))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [memoryview(struct.pack("<Q", len(text)) + text), *parts]


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a checkpoint as one file, which appears whole or not at all."""
    half = path.with_name(f".{path.name}.half")
    with half.open("wb") as file:
        for piece in pieces(checkpoint):
            file.write(piece)
    half.replace(path)


def read(path: Path, spec: str | None = None) -> Checkpoint:
    """Reads a checkpoint and checks every byte of it.

    Args:
        path: the file.
        spec: digest of the spec that it must belong to (`digest_of_spec`), if that is to be checked.

    Raises:
        DamagedCheckpoint: it is no checkpoint, not whole, changed since, or of another spec.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise DamagedCheckpoint(f"{path.name} is not a checkpoint of this version of Triptych")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            checkpoint = Checkpoint(int(header["step"]), arrays, json.loads(header["metadata"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise DamagedCheckpoint(f"{path.name} cannot be read as a checkpoint: {error}") from error
    if _digest(checkpoint) != header.get("sha256"):
        raise DamagedCheckpoint(f"{path.name} is damaged: its content does not match its SHA-256")
    if spec is not None and checkpoint.metadata.get("spec") != spec:
        raise DamagedCheckpoint(f"{path.name} belongs to another spec")
    return checkpoint


def _digest(checkpoint: Checkpoint) -> str:
    about = [FORMAT, checkpoint.step, dict(checkpoint.metadata), digest_of_state(checkpoint.arrays)]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _contiguous(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array = np.asarray(array)  # NumPy makes a number of an array without dimensions wherever it can
    # Not np.ascontiguousarray, which turns a scalar into a vector.
    return array if array.flags.c_contiguous else array.copy(order="C")
