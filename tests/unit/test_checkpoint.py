from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint, digest_of_spec, digest_of_state, read, write
from jobs.gan.spec import TrainGan

ARRAYS = {
    "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "step": np.array(7, dtype=np.int64),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "seed": np.array([1, 2], dtype=np.uint32),
}
SPEC = digest_of_spec(TrainGan())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(Checkpoint(7, ARRAYS, {"spec": SPEC, "keras": "3"}), tmp_path / "7-1.safetensors")
    return tmp_path / "7-1.safetensors"


def test_what_is_written_is_read_back_bit_for_bit(file: Path) -> None:
    found = read(file, SPEC)
    assert (found.step, found.metadata) == (7, {"spec": SPEC, "keras": "3"})
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found.arrays[name], array)
    assert digest_of_state(found.arrays) == digest_of_state(ARRAYS)


def test_a_flipped_bit_anywhere_is_noticed(file: Path) -> None:
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 4
        file.write_bytes(changed)
        with pytest.raises(DamagedCheckpoint):
            read(file, SPEC)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 0.999])
def test_a_half_written_file_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DamagedCheckpoint, match=r"7-1\.safetensors"):
        read(file)


def test_a_checkpoint_of_another_spec_is_refused(file: Path) -> None:
    with pytest.raises(DamagedCheckpoint, match="another spec"):
        read(file, digest_of_spec(TrainGan(seed=1)))


def test_a_safetensors_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"kernel": ARRAYS["kernel"]}, tmp_path / "foreign")
    with pytest.raises(DamagedCheckpoint, match="not a checkpoint"):
        read(tmp_path / "foreign")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedCheckpoint):
        read(tmp_path / "nothing")


def test_writing_leaves_nothing_but_the_file(file: Path) -> None:
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.zeros(4, np.float32)},
        {"b": np.zeros(4, np.int32)},
        {"b": np.zeros((2, 2), np.float32)},
        {"b": np.full(4, -0.0, np.float32)},
        {"b": np.zeros(4, np.float32), "c": np.zeros(0, np.float32)},
    ],
)
def test_the_digest_of_a_state_sees_names_types_shapes_and_bits(other: dict[str, np.ndarray]) -> None:
    assert digest_of_state(other) != digest_of_state({"b": np.zeros(4, np.float32)})


def test_the_digest_of_a_state_does_not_depend_on_order_or_layout() -> None:
    mixed = dict(reversed(ARRAYS.items()))
    mixed["transposed"] = np.asfortranarray(mixed["transposed"])
    mixed["kernel"] = np.asfortranarray(mixed["kernel"])
    assert digest_of_state(mixed) == digest_of_state(ARRAYS)
