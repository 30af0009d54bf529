"""Data sets that need not fit into memory: packed and written some rows at a time, and read from the disk."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.datasets import mapped
from jobs.datasets.images import archive
from jobs.datasets.images.image_set import EPOCH, ImageSet
from jobs.datasets.images.packing import pack
from jobs.datasets.mapped import RowReader, let_go, on_disk
from jobs.errors import BadInput


@pytest.fixture
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mapped, archive):
        monkeypatch.setattr(module, "BLOCK", 100)


def arrays_of(images: ImageSet) -> list[tuple[str, Any]]:
    arrays: list[tuple[str, Any]] = [("images", images.images)]
    if images.labels is not None:
        arrays += [("labels", images.labels), ("class_names", np.array(images.class_names))]
    return arrays


@pytest.mark.usefixtures("few_rows_at_a_time")
@pytest.mark.parametrize("labelled", [False, True])
def test_file_and_digest_are_those_of_the_version_before(
    tiny_images: ImageSet, tmp_path: Path, labelled: bool
) -> None:
    images = tiny_images if labelled else ImageSet(np.asfortranarray(tiny_images.images))
    digest = hashlib.sha256()
    with zipfile.ZipFile(tmp_path / "before.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, array in arrays_of(images):
            digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
            info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0))
            file.writestr(info, content.getvalue())
    images.write(tmp_path / "now.npz")
    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "before.npz").read_bytes()
    assert images.digest == digest.hexdigest()


@pytest.mark.usefixtures("few_rows_at_a_time")
def test_a_set_on_the_disk_is_the_one_in_memory(tiny_images: ImageSet, tmp_path: Path) -> None:
    tiny_images.write(tmp_path / "a.npz")
    ImageSet.unpack(tmp_path / "a.npz", tmp_path / "a")
    found = ImageSet.open(tmp_path / "a")
    assert mapped._mapping(found.images) is not None
    np.testing.assert_array_equal(found.images, tiny_images.images)
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels, tiny_images.labels)
    assert (found.class_names, found.digest) == (tiny_images.class_names, tiny_images.digest)
    let_go(found.images)
    np.testing.assert_array_equal(found.images, tiny_images.images)


@pytest.mark.parametrize("damage", [b"", b"half a file"])
def test_a_damaged_set_on_the_disk_is_refused(tiny_images: ImageSet, tmp_path: Path, damage: bytes) -> None:
    tiny_images.write(tmp_path / "a.npz")
    ImageSet.unpack(tmp_path / "a.npz", tmp_path / "a")
    (tmp_path / "a" / "images.npy").write_bytes(damage)
    with pytest.raises(BadInput, match="cannot be read as a data set"):
        ImageSet.open(tmp_path / "a")
    (tmp_path / "a" / "images.npy").unlink()
    with pytest.raises(BadInput, match="cannot be read as a data set"):
        ImageSet.open(tmp_path / "a")


@pytest.mark.usefixtures("few_rows_at_a_time")
@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_archive_is_the_same_however_few_rows_are_read_at_a_time(
    tmp_path: Path, kind: str, order: Any
) -> None:
    values = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 256, (23, 5, 4))
    images = (values / 255 if kind == "float32" else values).astype(kind, order=order)
    np.savez(tmp_path / "own.npz", x=images, y=np.arange(23) % 3)
    found = pack(tmp_path / "own.npz")
    expected = values * 255 if kind == "bool" else values
    np.testing.assert_array_equal(found.images[..., 0], expected)
    assert found.class_names == ("0", "1", "2")


@pytest.mark.usefixtures("few_rows_at_a_time")
@pytest.mark.parametrize("place", [0, 7, 22])
def test_one_pixel_out_of_range_is_found_in_any_block(tmp_path: Path, place: int) -> None:
    for value in (-1.5, 1.5, np.nan):
        images = np.zeros((23, 5, 4), np.float32)
        images[place, 2, 2] = value
        np.savez(tmp_path / "own.npz", images=images)
        with pytest.raises(BadInput, match="must be integers from 0 to 255 or floats from 0 to 1"):
            pack(tmp_path / "own.npz")


def test_an_archive_that_ends_early_or_was_changed_is_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (23, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    content = (tmp_path / "own.npz").read_bytes()
    place = content.index(images[11].tobytes())
    (tmp_path / "own.npz").write_bytes(content[:place] + b"?" + content[place + 1 :])
    with pytest.raises(BadInput, match=r"cannot be read as an \.npz file"):
        pack(tmp_path / "own.npz")


@pytest.mark.parametrize("coloured", [0, 3, 8])
def test_a_coloured_image_anywhere_makes_all_coloured(tmp_path: Path, coloured: int) -> None:
    for number in range(9):
        color = (number, 20, 30) if number == coloured else (number,) * 3
        Image.new("RGB" if number == coloured else "L", (3, 2), color if number == coloured else number).save(
            tmp_path / f"{number}.png"
        )
    found = pack(tmp_path)
    assert found.shape == (2, 3, 3)
    assert found.images[:, 0, 0, 0].tolist() == list(range(9))
    assert found.images[coloured, 1, 2].tolist() == [coloured, 20, 30]
    assert found.images[4 if coloured != 4 else 5, 1, 2, 1] in (4, 5)


def test_packing_and_writing_hold_little_of_a_set_in_memory(tmp_path: Path) -> None:
    size = 8 << 20
    np.savez(tmp_path / "own.npz", images=np.zeros((size >> 10, 32, 32), np.uint8))
    blocks = [(module, module.BLOCK) for module in (mapped, archive)]
    try:
        for module, _ in blocks:
            module.BLOCK = 1 << 18
        tracemalloc.start()
        images = pack(tmp_path / "own.npz", size=(64, 64))
        images.write(tmp_path / "packed.npz")
        ImageSet.unpack(tmp_path / "packed.npz", tmp_path / "packed")
        assert ImageSet.open(tmp_path / "packed").digest == images.digest
        assert tracemalloc.get_traced_memory()[1] < size / 2
    finally:
        tracemalloc.stop()
        for module, block in blocks:
            module.BLOCK = block


def test_an_array_on_the_disk_keeps_what_is_written_when_it_is_let_go() -> None:
    array = on_disk((3, 4))
    array[1] = 7
    let_go(array)
    assert array.sum() == 28
    let_go(np.ones(3))  # in memory: nothing to let go


def test_rows_read_from_the_file_are_those_of_the_array(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 40, (50, 3, 2))
    np.save(tmp_path / "values.npy", values)
    array = np.asarray(np.load(tmp_path / "values.npy", mmap_mode="r"))
    for whole in (array, array[7:]):  # a part of it begins elsewhere in the file
        reader = RowReader.of(whole)
        assert reader is not None
        into, rows = np.zeros((6, 3, 2), np.int64), np.array([5, 0, 42, 5])
        reader.read(rows, into)
        np.testing.assert_array_equal(into[:4], whole[rows])
        assert not into[4:].any()
        reader.close()
    assert RowReader.of(values) is None
    assert RowReader.of(array[::2]) is None
    assert RowReader.of(on_disk((3, 4))) is None


def test_a_file_that_becomes_shorter_is_no_secret(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.ones((50, 3)))
    reader = RowReader.of(np.load(tmp_path / "values.npy", mmap_mode="r"))
    assert reader is not None
    with (tmp_path / "values.npy").open("r+b") as file:
        file.truncate(600)
    with pytest.raises(OSError, match="has become shorter"):
        reader.read(np.array([0, 49]), np.zeros((2, 3)))
    reader.close()
