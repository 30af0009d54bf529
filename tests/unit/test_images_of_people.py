"""Folders of pictures and arrays as people have them: nothing is lost, guessed or changed in silence."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.packing import pack
from jobs.errors import BadInput

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def save(path: Path, values: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values)).save(path, **options)
    return path


def notes(found: ImageSet) -> str:
    return "\n".join(found.notes)


def plain(value: int = 100) -> Any:
    return np.array([[0, value], [value, 255]], np.uint8)


# 1: what a file is, is told by its content.


def test_pictures_with_an_unusual_ending_are_images_and_what_is_none_is_counted_and_named(tmp_path):
    for number in range(40):
        save(tmp_path / f"cat/{number:02}.png", plain())
        save(tmp_path / f"dog/{number:02}.jfif", plain(), format="JPEG")
    (tmp_path / "dog/late.heic").write_bytes(HEIC)
    (tmp_path / "dog/notes.txt").write_text("a dog")
    found = pack(tmp_path)
    assert (len(found), found.class_names) == (80, ("cat", "dog"))
    assert "images by class: cat 40, dog 40" in found.notes
    assert "not used: 2" in notes(found)
    assert "1 HEIC, which is not read (late.heic)" in notes(found)
    assert "1 no image (notes.txt)" in notes(found)


@pytest.mark.parametrize("name", ["photo", "photo.jpe", "photo.jpg_large", "photo.JPG.1"])
def test_a_picture_is_known_whatever_it_is_called(name, tmp_path):
    save(tmp_path / name, plain(), format="JPEG")
    assert len(pack(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEIC, "HEIC"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "videos"),
        (b"\x93NUMPY\1\0", "arrays of NumPy"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0" * 128 + b"DICM", "DICOM"),
        (b"\xff\x0a\0\0", "JPEG XL"),
    ],
)
def test_a_class_of_pictures_that_are_not_read_is_refused_rather_than_lost(content, reason, tmp_path):
    save(tmp_path / "cat/1.png", plain())
    (tmp_path / "dog").mkdir()
    for number in range(5):
        (tmp_path / f"dog/{number}.x").write_bytes(content)
    with pytest.raises(
        BadInput, match=rf"class 'dog' can be read: 5 {reason}.*0\.x, 1\.x, 2\.x and 2 more.*convert them"
    ):
        pack(tmp_path)


def test_a_heic_that_calls_itself_jpg_is_named_for_what_it_is(tmp_path):
    (tmp_path / "a.jpg").write_bytes(HEIC)
    with pytest.raises(BadInput, match=r"a\.jpg cannot be read as an image: it is HEIC; convert it to JPEG"):
        pack(tmp_path)


def test_a_folder_without_an_image_is_no_class_and_is_said(tmp_path):
    save(tmp_path / "cat/1.png", plain())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/readme.txt").write_text("none")
    found = pack(tmp_path)
    assert found.class_names == ("cat",)
    assert "1 folders without an image (docs)" in notes(found)


@pytest.mark.parametrize("name", ["1.png.bak", "1.png~", "1.jpg.crdownload", "raw.nef"])
def test_copies_and_raw_pictures_of_cameras_are_not_used_and_counted(name, tmp_path):
    save(tmp_path / "1.png", plain())
    save(tmp_path / name, plain(), format="TIFF")
    found = pack(tmp_path)
    assert len(found) == 1
    assert name in notes(found)


def test_hidden_files_empty_ones_and_links_are_counted(tmp_path):
    save(tmp_path / "a/1.png", plain())
    save(tmp_path / "elsewhere.x/2.png", plain())
    for name in (".DS_Store", "Thumbs.db", "empty"):
        (tmp_path / "a" / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    (tmp_path / "a/broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "a/itself.png").symlink_to(tmp_path / "a/itself.png")
    os.mkfifo(tmp_path / "a/pipe.png")
    found = pack(tmp_path)
    assert len(found) == 2
    for text in (
        "2 hidden (__MACOSX, .DS_Store)",
        "2 empty (Thumbs.db, empty)",
        "1 links to folders, which are not followed (loop)",
        "3 no file, or a link to none (broken.png, itself.png, pipe.png)",
    ):
        assert text in notes(found)


def test_folders_inside_class_folders_are_said(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            save(tmp_path / f"{part}/{name}/1.png", plain())
    found = pack(tmp_path)
    assert found.class_names == ("test", "train")
    assert "the class folders test, train hold folders (cat, dog)" in notes(found)


# 2: what the values mean.


@pytest.mark.parametrize(
    ("values", "ending", "expected", "said"),
    [
        (np.array([[0, 4095], [2048, 1]], np.uint16), "png", [0, 255, 128, 0], "brightest 4095: 0 to 4095"),
        (np.array([[0, 1023], [512, 1]], np.uint16), "tif", [0, 255, 128, 0], "0 to 1023"),
        (np.array([[0, 255], [128, 1]], np.uint16), "png", [0, 255, 128, 1], "0 to 255"),
        (np.array([[0, 65535], [32768, 1]], np.uint16), "png", [0, 255, 128, 0], "0 to 65535"),
        (np.array([[0, 1], [1, 0]], np.uint16), "png", [0, 255, 255, 0], "brightest 1: 0 to 1"),
        (np.array([[0, 1], [1, 0]], np.uint8), "png", [0, 255, 255, 0], "brightest 1: 0 to 1"),
        (np.array([[-1, 1], [0, 0.5]], np.float32), "tif", [0, 255, 128, 191], "darkest -1, brightest 1"),
        (np.array([[0, 1], [0, 0.5]], np.float32), "tif", [0, 255, 0, 128], "0 to 1"),
        (np.array([[0, 255], [0, 128]], np.float32), "tif", [0, 255, 0, 128], "0 to 255"),
        (np.array([[0, 4095], [0, 2048]], np.int32), "tif", [0, 255, 0, 128], "0 to 4095"),
        (np.array([[0, 20], [7, 3]], np.uint8), "png", [0, 20, 7, 3], "darkest 0, brightest 20"),
    ],
)
def test_values_that_do_not_fill_their_type_are_recognised_and_said(values, ending, expected, said, tmp_path):
    save(tmp_path / f"files/a.{ending}", values)
    found = pack(tmp_path / "files")
    assert found.images.ravel().tolist() == expected
    assert said in notes(found)
    if values.dtype != np.int32:  # of 32 bits an array may hold anything
        np.savez(tmp_path / "a.npz", images=values[np.newaxis])
        assert pack(tmp_path / "a.npz").images.ravel().tolist() == expected
        assert said in notes(pack(tmp_path / "a.npz"))


def test_the_range_is_that_of_all_images_together(tmp_path):
    save(tmp_path / "dark.png", np.full((2, 2), 1000, np.uint16))
    save(tmp_path / "bright.png", np.full((2, 2), 4000, np.uint16))
    found = pack(tmp_path, size=(1, 1))
    assert found.images.ravel().tolist() == [249, 62]
    assert "16-bit values, darkest 1000, brightest 4000: 0 to 4095 became black to white" in found.notes


@pytest.mark.parametrize(
    "values",
    [
        np.array([[-1024, 3071]], np.int32),
        np.array([[0, 100_000]], np.int32),
        np.array([[0, 90]], np.float32),
        np.array([[-4, 4]], np.float32),
    ],
)
def test_a_range_that_cannot_be_told_is_asked_for_and_obeyed(values, tmp_path):
    save(tmp_path / "files/a.tif", values)
    np.savez(tmp_path / "a.npz", images=values[np.newaxis])
    low, high = float(values.min()), float(values.max())
    for path in (tmp_path / "files", tmp_path / "a.npz"):
        with pytest.raises(BadInput, match=r"--range LOW:HIGH") as asked:
            pack(path)
        assert f"{low:g}".removesuffix(".0") in str(asked.value)
        assert pack(path, range=(low, high)).images.ravel().tolist() == [0, 255]


def test_a_given_range_is_obeyed_by_bytes_too_and_cuts_off_what_lies_outside(tmp_path):
    save(tmp_path / "a.png", np.array([[0, 10], [20, 30]], np.uint8))
    assert pack(tmp_path, range=(10, 20)).images.ravel().tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("wrong", [(1, 1), (2, 1), (0, float("nan"))])
def test_a_range_that_is_none_is_refused(wrong, tmp_path):
    save(tmp_path / "a.png", plain())
    with pytest.raises(BadInput, match="range is two numbers, the lower first"):
        pack(tmp_path, range=wrong)


def test_colours_of_which_twelve_of_sixteen_bits_are_used_are_not_taken_for_black(tmp_path):
    pixels = np.array([[[0, 4095, 2048]]], np.uint16)
    # Pillow writes no such file: a PNG made of its parts.
    import struct
    import zlib

    def part(name: bytes, data: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checked

    rows = b"\0" + pixels.astype(">u2").tobytes()
    head = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    content = part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(BadInput, match=r"16-bit colour values from 0 to 15; say which"):
        pack(tmp_path)
    assert pack(tmp_path, range=(0, 4095)).images.ravel().tolist()[:2] == [0, 239]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused_by_name(value, tmp_path):
    save(tmp_path / "a.tif", np.array([[0, value]], np.float32))
    with pytest.raises(BadInput, match=r"a\.tif has pixels that are no numbers"):
        pack(tmp_path)


# 3: files with several pictures.


def pages(path: Path, count: int, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shades = [Image.fromarray(np.full((3, 4), 40 * number + 10, np.uint8)) for number in range(count)]
    shades[0].save(path, save_all=True, append_images=shades[1:], **options)
    return path


def test_which_pages_of_a_tiff_are_images_is_asked(tmp_path):
    pages(tmp_path / "cat/stack.tif", 6)
    save(tmp_path / "dog/one.tif", np.full((3, 4), 9, np.uint8))
    with pytest.raises(BadInput, match=r"1 of the files .* 6 in all \(stack\.tif has 6\); say --pages all"):
        pack(tmp_path)
    every = pack(tmp_path, pages="all")
    assert every.images[:, 0, 0, 0].tolist() == [10, 50, 90, 130, 170, 210, 9]
    assert every.labels is not None
    assert every.labels.tolist() == [0] * 6 + [1]
    assert "1 files hold 6 pictures (stack.tif): each is an image" in every.notes
    assert pack(tmp_path, pages="first").images[:, 0, 0, 0].tolist() == [10, 9]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_of_an_animation_the_first_picture_is_taken_and_the_others_are_said(ending, tmp_path):
    options: dict[str, Any] = {"lossless": True} if ending == "webp" else {}
    pages(tmp_path / f"a.{ending}", 4, **options)
    found = pack(tmp_path)
    assert len(found) == 1
    assert f"1 files hold 4 pictures (a.{ending}): the first of each is an image" in notes(found)
    every = pack(tmp_path, pages="all")
    assert [image[0, 0, 0] for image in every.images] == [10, 50, 90, 130]


def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path):
    small = Image.new("L", (2, 2))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.new("L", (4, 4), 9).save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert pack(tmp_path).images.shape == (1, 4, 4, 1)


def test_the_second_picture_of_a_camera_is_not_used_and_said(tmp_path):
    two = [Image.new("RGB", (4, 4), "red"), Image.new("RGB", (2, 2), "blue")]
    two[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=two[1:])
    found = pack(tmp_path)
    assert found.images.shape == (1, 4, 4, 3)
    assert "1 files hold a second picture, as cameras add it, not used (a.jpg)" in found.notes


# 4: names.


def test_a_class_whose_name_is_not_utf8_gets_a_name_that_is(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    save(folder / "1.png", plain())
    save(tmp_path / "cat/1.png", plain())
    found = pack(tmp_path)
    assert found.class_names == (r"caf\xe9", "cat")
    assert r"1 names of classes are not UTF-8 and written so: caf\xe9" in found.notes
    assert "\n".join(found.notes).encode()


def test_two_names_that_become_one_are_refused(tmp_path):
    save(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")) / "1.png", plain())
    save(tmp_path / r"caf\xe9/1.png", plain())
    with pytest.raises(BadInput, match="two class folders have the same name"):
        pack(tmp_path)


def test_an_error_that_quotes_such_a_name_can_be_stored_and_printed(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "1.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"caf\\xe9/1\.png cannot be read") as refused:
        pack(tmp_path)
    assert str(refused.value).encode()


def test_names_of_an_archive_with_half_a_character_get_whole_ones(tmp_path):
    labels = np.array(["caf\udce9", "so \ud83d"])
    np.savez(tmp_path / "a.npz", images=np.stack([plain(), plain()]), labels=labels)
    assert pack(tmp_path / "a.npz").class_names == (r"caf\xe9", "so �")


def test_two_classes_of_one_name_in_an_archive_are_refused(tmp_path):
    arrays = {"images": np.stack([plain(), plain()]), "labels": np.array([0, 1])}
    np.savez(tmp_path / "a.npz", class_names=np.array(["cat", "cat"]), **arrays)
    with pytest.raises(BadInput, match="two of the class names are alike: cat, cat"):
        pack(tmp_path / "a.npz")


def test_embeddings_of_a_class_whose_name_is_not_utf8_are_written(tmp_path):
    from pyarrow import parquet

    from jobs.selfsupervised.encode import _save_npz, _save_parquet

    save(Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/caf\xe9")) / "1.png", plain())
    data = pack(tmp_path / "images")
    embeddings = np.zeros((1, 3), np.float32)
    _save_npz(tmp_path / "a.npz", embeddings, data)
    _save_parquet(tmp_path / "a.parquet", embeddings, data)
    assert parquet.read_table(tmp_path / "a.parquet")["class_name"].to_pylist() == [r"caf\xe9"]


def test_arrays_of_an_archive_that_are_not_used_are_said(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=plain()[None], y_train=np.array([0]), x_test=plain()[None])
    assert "not used: 1 other arrays (x_test)" in pack(tmp_path / "a.npz").notes


def test_what_was_right_before_keeps_its_digest(tmp_path):
    """The digests are those of the version that recognised no range."""
    draw = np.random.default_rng(0)
    save(tmp_path / "f/a/1.png", draw.integers(0, 256, (5, 4), dtype=np.uint8))
    save(tmp_path / "f/a/x/2.png", draw.integers(0, 65536, (5, 4), dtype=np.uint16))
    save(tmp_path / "f/b/1.tif", draw.random((5, 4), dtype=np.float32))
    save(tmp_path / "f/b/2.png", draw.integers(0, 256, (5, 4, 4), dtype=np.uint8))
    save(tmp_path / "f/b/3.gif", draw.integers(0, 256, (5, 4), dtype=np.uint8))
    np.savez(
        tmp_path / "a.npz", images=draw.random((3, 4, 4), dtype=np.float32), labels=np.array(["x", "y", "x"])
    )
    assert pack(tmp_path / "f").digest == "a11513d933263f51519cac8937edd9c869d56abff08c13b664e5bdef9f55be06"
    assert (
        pack(tmp_path / "a.npz").digest == "164278f3c015d25244de8ade72a647cded280cc1de3c3a3481b8d6968aaf9ed6"
    )
