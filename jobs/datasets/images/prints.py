"""The ten digits in print: in the fonts that come with Matplotlib, of many sizes and tilts, by Pillow.

Each image is a function of its number and a fixed seed. They are as large as those of MNIST, and lie like
them: white on black, 28 x 28 pixels, the centre of mass in the middle.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jobs.datasets.images.image_set import Array, ImageSet

#: Files in Matplotlib's folder of fonts: upright, slanted and bold ones of six families.
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralBolIta",
    "STIXGeneralItalic",
    "cmb10",
    "cmr10",
    "cmss10",
    "cmtt10",
)
DIGITS = tuple("0123456789")
#: Images, and pixels of a side.
COUNT, SIDE = 5_000, 28
#: Heights of the digits in pixels; degrees of the largest tilt to either side.
HEIGHTS, TILT = (17.0, 18.0, 19.0, 20.0, 21.0), 10.0
#: Drawn so much larger, then scaled down, which makes smooth edges.
_LARGER = 4
_SEED = 22


def printed(folder: Path, count: int = COUNT) -> ImageSet:
    """Draws the set.

    Args:
        folder: with the fonts.
        count: images; the classes take turns.
    """
    labels = np.arange(count, dtype=np.int64) % len(DIGITS)
    random = np.random.Generator(np.random.Philox(_SEED))
    fonts = random.integers(0, len(FONTS), count)
    heights = random.choice(HEIGHTS, count)
    tilts = random.uniform(-TILT, TILT, count)
    images = np.stack(
        [
            _drawn(folder / f"{FONTS[font]}.ttf", DIGITS[label], height, tilt)
            for font, label, height, tilt in zip(fonts, labels, heights, tilts, strict=True)
        ]
    )
    return ImageSet(images[..., np.newaxis], labels, DIGITS)


def _drawn(path: Path, digit: str, height: float, tilt: float) -> Array:
    """One digit, uint8 (side, side)."""
    size = SIDE * _LARGER
    font = _font(path, height)
    left, top, right, bottom = font.getbbox(digit)
    sheet = Image.new("L", (size, size))
    place = ((size - left - right) / 2, (size - top - bottom) / 2)
    ImageDraw.Draw(sheet).text(place, digit, fill=255, font=font)
    tilted = sheet.rotate(tilt, Image.Resampling.BICUBIC)
    pixels, grid = np.asarray(tilted, np.float64), np.arange(size) - (size - 1) / 2
    # Moved so that the centre of mass is in the middle.
    right_by, down_by = (-round(float(pixels.sum(axis=axis) @ grid / pixels.sum())) for axis in (0, 1))
    moved = Image.new("L", (size, size))
    moved.paste(tilted, (right_by, down_by))
    return np.asarray(moved.resize((SIDE, SIDE), Image.Resampling.BOX))


@lru_cache(maxsize=len(FONTS) * len(HEIGHTS))
def _font(path: Path, height: float) -> ImageFont.FreeTypeFont:
    """A font at the size at which its digits are so many pixels high."""
    trial = ImageFont.truetype(path, 100)
    _, top, _, bottom = trial.getbbox("8")
    return trial.font_variant(size=height * _LARGER * 100 / (bottom - top))
