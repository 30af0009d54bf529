"""One file as pictures of 8 bits."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from jobs.datasets.images.listing import advice, reason_of
from jobs.datasets.images.values import USUAL, Extremes, Kind, Range
from jobs.errors import BadInput

#: Which pictures of a file with several count.
Pages = Literal["first", "all"]

_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
#: Of TIFF: what a page is; its lowest bit says that it is a smaller copy of another.
_SUBFILE_TYPE = 254


@dataclass
class Reader:
    """Reads files, and keeps what it has seen of all of them.

    Args:
        most_pixels: of a picture; a larger one is refused.
        size: (height, width) to which every picture is resized.
        pages: which pictures of a file with several count; None: the first of an animation.
        ranges: what the values of each kind are taken for.

    Attributes:
        extremes: the darkest and brightest values so far.
        several: pictures in each file that has more than one, by file.
        stacks: those among them that are no animations: which of their pictures count has to be asked.
        second: files of cameras with a second picture, such as a preview, that is never meant.
    """

    most_pixels: int
    size: tuple[int, int] | None = None
    pages: Pages | None = None
    ranges: Mapping[Kind, Range] = field(default_factory=lambda: dict(USUAL))
    extremes: Extremes = field(default_factory=Extremes)
    several: dict[Path, int] = field(default_factory=dict)
    stacks: dict[Path, int] = field(default_factory=dict)
    second: list[Path] = field(default_factory=list)

    def read(self, path: Path) -> list[Image.Image]:
        """The pictures of a file that count, upright, 8 bits, mode `L` or `RGB`.

        Raises:
            BadInput: it cannot be read, or is too large.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as unchecked:
                    if unchecked.width * unchecked.height > self.most_pixels:
                        raise Image.DecompressionBombError
                    unchecked.verify()
                with Image.open(path) as opened:  # anew: `verify` leaves an image that cannot be decoded
                    return self._pictures(opened, path)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise BadInput(
                f"{path} has more than {self.most_pixels:,} pixels; scale it down or remove it"
            ) from None
        except BadInput:
            raise
        except (
            Exception
        ) as error:  # each of Pillow's decoders has its own: SyntaxError, struct.error, EOFError
            reason = _known(path)
            if reason:
                raise BadInput(
                    f"{path} cannot be read as an image: {advice(reason)}, or remove it"
                ) from error
            raise BadInput(f"{path} cannot be read as an image ({error}); replace or remove it") from error

    def _pictures(self, opened: Image.Image, path: Path) -> list[Image.Image]:
        frames = self._frames(opened, path)
        if self.pages != "all" or len(frames) == 1:
            opened.seek(frames[0])
            return [self._picture(opened, path)]
        pictures = []
        for number, frame in enumerate(ImageSequence.Iterator(opened)):
            if number in frames:
                pictures.append(self._picture(frame, path))
        return pictures

    def _frames(self, opened: Image.Image, path: Path) -> list[int]:
        """Numbers of the pictures in a file, without smaller copies of others."""
        count = int(getattr(opened, "n_frames", 1))
        if count < 2:
            return [0]
        if opened.format == "MPO":
            self.second.append(path)
            return [0]
        frames = list(range(count))
        if opened.format == "TIFF":
            frames = [frame for frame in frames if not _is_copy(opened, frame)] or [0]
        if len(frames) > 1:
            self.several[path] = len(frames)
            if opened.format == "TIFF":
                self.stacks[path] = len(frames)
        return frames

    def _picture(self, opened: Image.Image, path: Path) -> Image.Image:
        if opened.width * opened.height > self.most_pixels:
            raise Image.DecompressionBombError
        deep = any(
            ";16" in str(tile[3]) for tile in getattr(opened, "tile", ())
        ) and not opened.mode.startswith("I")
        opened.load()
        picture = self._eight_bits(ImageOps.exif_transpose(opened), path, Kind.DEEP if deep else Kind.BYTES)
        if self.size is None or picture.size == (self.size[1], self.size[0]):
            return picture
        return picture.resize((self.size[1], self.size[0]), Image.Resampling.LANCZOS)

    def _eight_bits(self, picture: Image.Image, path: Path, kind: Kind) -> Image.Image:
        mode = "L" if picture.mode in _GREY else "RGB"
        if picture.mode.startswith("I") or picture.mode == "F":
            kind = Kind.FLOATS if picture.mode == "F" else Kind.WHOLE
            values = np.asarray(picture, dtype=np.float64)
            if not np.isfinite(values).all():
                raise BadInput(f"{path} has pixels that are no numbers; save it as 8-bit")
            self.extremes.add(kind, values)
            return Image.fromarray(self._range(kind).to_bytes(values))
        if picture.has_transparency_data:
            upper = picture.convert("RGBA")
            lower = Image.new("RGBA", upper.size, "white")
            return self._stretched(Image.alpha_composite(lower, upper).convert(mode), kind)
        if picture.mode == "P" and _is_grey(picture):
            mode = "L"
        return self._stretched(picture.convert(mode), kind)

    def _stretched(self, picture: Image.Image, kind: Kind) -> Image.Image:
        values = np.asarray(picture)
        self.extremes.add(kind, values)
        wanted = self._range(kind)
        return picture if wanted == USUAL[kind] else Image.fromarray(wanted.to_bytes(values))

    def _range(self, kind: Kind) -> Range:
        return self.ranges.get(kind, USUAL[kind])


def _is_copy(opened: Image.Image, frame: int) -> bool:
    opened.seek(frame)
    return bool(int(getattr(opened, "tag_v2", {}).get(_SUBFILE_TYPE, 0)) & 1)


def _is_grey(picture: Image.Image) -> bool:
    """Whether all colours of a palette are shades of grey."""
    colours = np.asarray(picture.convert("RGB"))
    return bool((colours == colours[..., :1]).all())


def _known(path: Path) -> str:
    try:
        return reason_of(path)
    except OSError:
        return ""
