"""A folder of image files as an `ImageSet`."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from jobs.datasets.images import Array, ImageSet
from jobs.errors import BadInput

#: Endings of the files that are read; others, and names that begin with a dot or `__`, are passed over.
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
#: A small file can claim to unpack to gigabytes; nothing that one would train on is larger than this.
MOST_PIXELS = 50_000_000
#: Files that one refusal names at most.
NAMED = 5

_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def read(path: Path, size: tuple[int, int] | None = None) -> ImageSet:
    """Reads every image under a folder.

    Sub-folders are classes, in the order of their names, and all images below one belong to it. Without
    sub-folders the images have no labels. If all images are grey, so is the set; else it has three
    channels. Orientation in EXIF is applied; what is transparent is laid over white; 16-bit pixels are
    scaled to 8; a palette becomes its colours; of an animation the first picture counts.

    Args:
        path: the folder.
        size: (height, width) in pixels to which every image is resized.

    Raises:
        BadInput: no image, one that cannot be read, two sizes, or images both inside and beside classes.
    """
    classes = sorted(item.name for item in path.iterdir() if item.is_dir() and not _hidden(item))
    by_class = {name: _files(path / name) for name in classes}
    classes = [name for name in classes if by_class[name]]
    direct = sorted(item for item in path.iterdir() if _is_image(item))
    if direct and classes:
        raise BadInput(
            f"{path} has images beside class folders, such as {direct[0].name} beside {classes[0]}; "
            "move every image into a class folder, or have no class folders"
        )
    files = direct or [file for name in classes for file in by_class[name]]
    if not files:
        raise BadInput(f"{path} has no image; put files such as .png or .jpg into it")
    pictures = _pictures(files, size)
    _same_size(files, pictures)
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    stacked: Array = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
    images = stacked[..., np.newaxis] if mode == "L" else stacked
    if direct:
        return ImageSet(images)
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(by_class[name]) for name in classes])
    return ImageSet(images, labels, tuple(classes))


def _hidden(path: Path) -> bool:
    return path.name.startswith((".", "__"))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not _hidden(path) and path.is_file()


def _files(path: Path) -> list[Path]:
    """The images below a folder, in an order that depends on their names alone."""
    found = [file for file in path.rglob("*") if _is_image(file)]
    return sorted(file for file in found if not any(map(_hidden, file.relative_to(path).parents[:-1])))


def _pictures(files: list[Path], size: tuple[int, int] | None) -> list[Image.Image]:
    """All of them, or one message that names what is wrong with each of the first few."""
    pictures, refused = [], []
    for file in files:
        try:
            pictures.append(_picture(file, size))
        except BadInput as error:
            refused.append(str(error))
    if len(refused) == 1:
        raise BadInput(refused[0])
    if refused:
        rest = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
        raise BadInput(f"{len(refused)} of {len(files)} files: {'; '.join(refused[:NAMED])}{rest}")
    return pictures


def _picture(path: Path, size: tuple[int, int] | None) -> Image.Image:
    """One image, upright, 8 bits, mode `L` or `RGB`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as unchecked:
                if unchecked.width * unchecked.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                unchecked.verify()
            with Image.open(path) as opened:  # anew: `verify` leaves an image that cannot be decoded
                opened.load()
                picture = _eight_bits(ImageOps.exif_transpose(opened), path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f"{path} has more than {MOST_PIXELS:,} pixels; scale it down or remove it") from None
    except BadInput:
        raise
    except Exception as error:  # each of Pillow's decoders has its own: SyntaxError, struct.error, EOFError
        raise BadInput(f"{path} cannot be read as an image ({error}); replace or remove it") from error
    if size is None or picture.size == (size[1], size[0]):
        return picture
    return picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)


def _eight_bits(picture: Image.Image, path: Path) -> Image.Image:
    mode = "L" if picture.mode in _GREY else "RGB"
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float64)
        scale = 255.0 if picture.mode == "F" else 255.0 / 65535.0
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() * scale <= 255.0):
            raise BadInput(
                f"{path} has pixels that are neither 16-bit nor floats from 0 to 1; save it as 8-bit"
            )
        return Image.fromarray(np.rint(values * scale).astype(np.uint8))
    if picture.has_transparency_data:
        upper = picture.convert("RGBA")
        lower = Image.new("RGBA", upper.size, "white")
        return Image.alpha_composite(lower, upper).convert(mode)
    if picture.mode == "P" and _is_grey(picture):
        mode = "L"
    return picture.convert(mode)


def _is_grey(picture: Image.Image) -> bool:
    """Whether all colours of a palette are shades of grey."""
    colours = np.asarray(picture.convert("RGB"))
    return bool((colours == colours[..., :1]).all())


def _same_size(files: list[Path], pictures: list[Image.Image]) -> None:
    first = pictures[0]
    for file, picture in zip(files, pictures, strict=True):
        if picture.size != first.size:
            raise BadInput(
                f"the images differ in size: {files[0]} is {first.height} x {first.width} and {file} is "
                f"{picture.height} x {picture.width} (height x width); give a size to which all are resized"
            )
