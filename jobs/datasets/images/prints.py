"""The ten digits in print: in the fonts of Matplotlib, of many widths, slants and tilts, by Pillow.

Each image is a function of its number and a fixed seed. They are as large as those of MNIST, and lie like
them (LeCun et al. 1998, section III.A): white on black, 28 x 28 pixels, the longer side of the digit about
20, the centre of mass in the middle.
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
#: Pixels of the longer side of a digit.
LONGER = (19.0, 21.0)
#: Condensed and extended faces: how wide, as a factor. Obliques: degrees to the right. Degrees of the largest
#: tilt to either side.
WIDTHS, SLANTS, TILT = (0.8, 1.25), (-10.0, 25.0), 10.0
#: Drawn so much larger, then scaled down, which makes smooth edges; the size of the fonts in pixels.
_LARGER, _DRAWN = 4, 96
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
    longer, widths, slants = (random.uniform(*span, count) for span in (LONGER, WIDTHS, SLANTS))
    tilts = random.uniform(-TILT, TILT, count)
    images = np.stack(
        [
            _drawn(folder / f"{FONTS[font]}.ttf", DIGITS[label], *shape)
            for font, label, *shape in zip(fonts, labels, longer, widths, slants, tilts, strict=True)
        ]
    )
    return ImageSet(images[..., np.newaxis], labels, DIGITS)


def _drawn(path: Path, digit: str, longer: float, width: float, slant: float, tilt: float) -> Array:
    """One digit, uint8 (side, side)."""
    size = SIDE * _LARGER
    glyph = _shaped(path, digit, width, slant, tilt)
    scale = longer * _LARGER / max(glyph.size)
    glyph = glyph.resize([max(1, round(scale * side)) for side in glyph.size], Image.Resampling.BICUBIC)
    pixels = np.asarray(glyph, np.float64)
    # Where the centre of mass is in the middle.
    right, down = (
        round((size - 1) / 2 - float(pixels.sum(axis=axis) @ np.arange(side) / pixels.sum()))
        for axis, side in enumerate(glyph.size)
    )
    sheet = Image.new("L", (size, size))
    sheet.paste(glyph, (right, down))
    return np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX))


def _shaped(path: Path, digit: str, width: float, slant: float, tilt: float) -> Image.Image:
    """A digit made wider or narrower, then slanted, then turned, cut out of its sheet."""
    font = _font(path)
    left, top, right, bottom = font.getbbox(digit)
    size = 2 * _DRAWN
    sheet = Image.new("L", (size, size))
    ImageDraw.Draw(sheet).text(((size - left - right) / 2, (size - top - bottom) / 2), digit, 255, font)
    turn, lean = np.radians(tilt), np.tan(np.radians(slant))
    cosine, sine = np.cos(turn), np.sin(turn)
    # Pillow asks where a pixel comes from. y grows downwards, so that a slant to the right is -lean.
    there = np.array([[cosine, sine], [-sine, cosine]]) @ [[1.0, -lean], [0.0, 1.0]] @ np.diag([width, 1.0])
    back, middle = np.linalg.inv(there), np.full(2, size / 2)
    rows = np.column_stack([back, middle - back @ middle])
    shaped = sheet.transform(
        (size, size), Image.Transform.AFFINE, rows.ravel().tolist(), Image.Resampling.BICUBIC
    )
    return shaped.crop(shaped.getbbox())


@lru_cache(maxsize=len(FONTS))
def _font(path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _DRAWN)
