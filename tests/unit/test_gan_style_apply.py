"""Pictures through a trained generator of style: whole, of any size, in tiles, and each by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Stopped
from jobs.gan.style import apply, whole
from jobs.gan.style.naming import file_names
from jobs.gan.style.painting import fitted
from jobs.gan.style.partners import colours_shifted
from jobs.gan.style.spec import ApplyStyle, EvaluateStyle, TrainStyle
from jobs.local import LocalContext, run_locally

Array = np.ndarray[Any, Any]
Contexts = Callable[[int | None], type[LocalContext]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a training of colour pictures."""
    home = tmp_path_factory.mktemp("home")
    random = np.random.default_rng(0)
    for name in ("dark", "light"):
        ImageSet(random.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)).write(home / f"{name}.npz")
    spec = TrainStyle(source="dark", target="light", epochs=1, channels=2, blocks=1, judge_every=0)
    run_locally(spec, home / "style", {name: home / f"{name}.npz" for name in ("dark", "light")})
    return home


def given(home: Path, name: str, images: Array) -> dict[str, Path]:
    ImageSet(images).write(home / f"{name}.npz")
    return {name: home / f"{name}.npz"}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "artifacts").rglob("*") if path.is_file()}


@pytest.mark.parametrize("shape", [(3, 11, 30, 3), (2, 1, 7, 3), (1, 2, 5, 1)])
def test_pictures_of_any_size_come_out_whole(home: Path, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    name = f"pictures-{shape[1]}"
    result = run_locally(
        ApplyStyle(model="style", dataset=name), home / f"any-{shape[1]}", given(home, name, images)
    )
    assert (result.count, result.height, result.width, result.channels) == (*shape[:3], 3)
    assert bool(result.remark) == (shape[3] == 1)
    left = files(home / f"any-{shape[1]}")
    assert len(left) == shape[0] + 2
    with Image.open(home / f"any-{shape[1]}/artifacts/images/0000.png") as picture:
        assert picture.size == (shape[2], shape[1])


def test_a_picture_comes_out_the_same_alone_and_among_others_stopped_or_not(
    home: Path, context_that_stops: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "BLOCK", 2)
    images = np.random.default_rng(2).integers(0, 256, (5, 9, 13, 3), dtype=np.uint8)
    spec, data = ApplyStyle(model="style", dataset="five"), given(home, "five", images)
    run_locally(spec, home / "five-at-once", data)
    with pytest.raises(Stopped):
        run_locally(spec, home / "five-stopped", data, context_that_stops(3))
    asked: list[int] = []
    draw = whole.translated
    monkeypatch.setattr(apply, "translated", lambda *pair: (asked.append(1), draw(*pair))[1])
    run_locally(spec, home / "five-stopped", data)
    assert len(asked) == 1  # the fifth: the others were there
    assert files(home / "five-stopped") == files(home / "five-at-once")
    alone = given(home, "alone", images[3:4])
    run_locally(ApplyStyle(model="style", dataset="alone"), home / "one", alone)
    assert files(home / "one")["0000.png"] == files(home / "five-at-once")["0003.png"]


def test_pictures_have_the_names_of_their_files_and_alpha_lies_over_white(home: Path) -> None:
    random = np.random.default_rng(6)
    for name in ("b 1.png", "b_1.png", "in/ä.webp"):
        path = home / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = random.integers(0, 256, (8, 12, 4), dtype=np.uint8)
        Image.fromarray(picture if "b 1" in name else picture[..., :3]).save(path)
    (home / "files/in/ä.webp").rename(home / "files/ä.webp")
    (home / "files/in").rmdir()
    data = {"files": home / "files"}
    result = run_locally(ApplyStyle(model="style", dataset="files"), home / "named", data)
    assert result.remark == "3 names of files were changed to what is allowed here, or to be different"
    left = {path.name for path in (home / "named/artifacts/images").iterdir()}
    assert left == {"b_1.png", "b_1-2.png", "_.png"}
    assert ImageSet.read(home / "named/artifacts/images.npz").names == ("b 1", "b_1", "ä")
    assert file_names(("x/a", "X/A", ".b"), 3).names == ("x/a", "X/A-2", "_b")
    assert file_names((), 2).names == ("0000", "0001")


def test_a_long_narrow_picture_is_translated_whole(home: Path) -> None:
    picture = np.random.default_rng(7).integers(0, 256, (1, 20, 3_000, 3), dtype=np.uint8)
    run_locally(ApplyStyle(model="style", dataset="long"), home / "long-out", given(home, "long", picture))
    with Image.open(home / "long-out/artifacts/images/0000.png") as found:
        assert found.size == (3_000, 20)


def test_tiles_of_what_is_drawn_pixel_by_pixel_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "TILE", 32)
    monkeypatch.setattr(whole, "OVERLAP", 8)
    picture = np.random.default_rng(3).integers(0, 256, (101, 67, 3), dtype=np.uint8)
    sizes = []

    def draw(images: Array) -> Array:
        sizes.append(images.shape)
        return -images

    assert np.array_equal(whole.translated(draw, picture), 255 - picture)
    assert len(sizes) == 4 * 3
    assert all(shape[1] % 4 == shape[2] % 4 == 0 and max(shape) <= 36 for shape in sizes)


def test_a_step_between_two_tiles_is_spread_over_their_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "TILE", 32)
    monkeypatch.setattr(whole, "OVERLAP", 16)
    levels = iter((-1.0, 1.0))
    drawn = whole.translated(
        lambda images: np.full_like(images, next(levels)), np.zeros((8, 48, 1), np.uint8)
    )
    row = drawn[0, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert np.diff(row).min() >= 0
    assert np.diff(row).max() <= 255 / 16 + 1


def test_colours_become_grey_by_their_brightness() -> None:
    picture = np.array([[[[255, 0, 0], [0, 255, 0]]]], np.uint8)
    assert fitted(picture, 1)[0, 0, :, 0].tolist() == [76, 150]


def test_a_model_of_another_kind_is_refused(home: Path) -> None:
    from jobs import TrainGan

    data = given(home, "plain", np.zeros((4, 8, 8, 1), np.uint8))
    run_locally(
        TrainGan(architecture="mlp", dataset="plain", epochs=1, generator_units=(3,)), home / "gan", data
    )
    with pytest.raises(
        BadInput, match=r"job gan is a gan\.train; 'model' takes a finished gan\.style\.train"
    ):
        run_locally(ApplyStyle(model="gan", dataset="plain"), home / "refused", data)


def test_an_evaluation_stands_beside_untouched_pictures_and_shifted_colours(
    home: Path, short_classifiers: None
) -> None:
    random = np.random.default_rng(4)
    sets = {
        "many-dark": ImageSet(random.integers(0, 99, (30, 8, 12, 3), dtype=np.uint8)),
        "many-light": ImageSet(random.integers(150, 256, (60, 9, 8, 3), dtype=np.uint8)),
    }
    for name, images in sets.items():
        images.write(home / f"{name}.npz")
    data = {name: home / f"{name}.npz" for name in ("many-dark", "many-light", "dark")}
    spec = EvaluateStyle(model="style", source="many-dark", target="many-light", count=30)
    found = run_locally(spec, home / "evaluation", data)
    assert found.count == 30
    assert found.content_kept is None
    assert found.shifted_frechet_distance < found.source_frechet_distance
    assert 0 <= found.floor_frechet_distance < found.source_frechet_distance
    assert 0 <= found.edges_in_common <= 1
    assert found.remark.startswith("the two sets do not have the same classes")
    assert files(home / "evaluation").keys() == {"evaluation.json", "methods.png", "neighbours.png"}
    with pytest.raises(BadInput, match=r"'dark' has 4 pictures, and measuring needs at least 20"):
        run_locally(EvaluateStyle(model="style", source="dark", target="many-light"), home / "few", data)


def test_shifted_colours_have_the_mean_and_the_deviation_of_the_target() -> None:
    random = np.random.default_rng(5)
    source, target = random.integers(0, 99, (9, 8, 8, 3)), random.integers(90, 170, (9, 8, 8, 3))
    shifted = colours_shifted(source.astype(np.uint8), target.astype(np.uint8))
    assert shifted.mean(axis=(0, 1, 2)) == pytest.approx(target.mean(axis=(0, 1, 2)), abs=0.5)
    assert shifted.std(axis=(0, 1, 2)) == pytest.approx(target.std(axis=(0, 1, 2)), abs=0.5)
