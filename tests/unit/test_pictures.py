import io

import numpy as np
import pytest
from PIL import Image

from jobs.pictures import curves, gif, grid, png


def opened(content: bytes) -> Image.Image:
    assert content.startswith(b"\x89PNG")
    return Image.open(io.BytesIO(content))


def test_a_grid_shows_every_image_where_it_belongs() -> None:
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((5, 3, 4, 1), np.uint8)
    sheet = np.asarray(opened(grid(images, columns=2, padding=1, smallest=0)))
    assert sheet.shape == (3 * 4 + 1, 2 * 5 + 1)
    for number in range(5):
        row, column = divmod(number, 2)
        top, left = 1 + row * 4, 1 + column * 5
        assert (sheet[top : top + 3, left : left + 4] == number + 1).all()
    assert (sheet[::4] == 0).all()
    assert (sheet[:, ::5] == 0).all()


def test_a_grid_is_square_by_default_and_large_enough_to_be_seen() -> None:
    sheet = opened(grid(np.zeros((64, 28, 28, 1), np.uint8)))
    assert sheet.width == sheet.height >= 512
    assert opened(grid(np.zeros((3, 28, 28), np.uint8))).width >= 512


def test_colours_and_floats_are_drawn_as_they_are() -> None:
    pixel = np.array([[[1.0, 0.5, -3.0]]])
    assert opened(png(pixel)).getpixel((0, 0)) == (255, 128, 0)
    assert opened(png(np.array([[7]], np.uint8))).getpixel((0, 0)) == 7
    assert opened(grid(pixel[np.newaxis], padding=0, smallest=0)).getpixel((0, 0)) == (255, 128, 0)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 2, 2, 1), np.uint8),
        np.zeros((2, 2), np.uint8),
        np.zeros((1, 2, 2, 2), np.uint8),
        np.zeros((1, 2, 2, 1), np.int64),
        np.full((1, 2, 2, 1), np.nan),
    ],
)
def test_what_is_no_image_is_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="received"):
        grid(images)


def test_curves_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    series = {"d_loss": np.linspace(1, 0, 30), "g_loss": np.linspace(0, 1, 30)}
    picture = opened(curves(series, "epoch", "loss"))
    assert picture.size == (800, 450)
    assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50
    assert curves({"d_loss": np.array([1.0])}, "epoch", "loss")


def test_a_gif_shows_its_frames_one_after_the_other_for_ever() -> None:
    frames = [png(np.full((4, 6, 3), shade, np.uint8)) for shade in (0, 128, 255)]
    picture = Image.open(io.BytesIO(gif(frames, milliseconds=50)))
    assert (picture.format, picture.size, picture.n_frames, picture.info["loop"]) == ("GIF", (6, 4), 3, 0)
    shades, durations = [], []
    for number in range(3):
        picture.seek(number)
        shades.append(picture.convert("L").getpixel((0, 0)))
        durations.append(picture.info["duration"])
    assert shades == [0, 128, 255]
    assert durations == [50, 50, 250]
    with pytest.raises(ValueError, match="at least one frame"):
        gif([])
