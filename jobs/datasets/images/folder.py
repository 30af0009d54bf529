"""A folder of image files as an `ImageSet`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobs.datasets.images.image_set import Array, ImageSet
from jobs.datasets.images.listing import first, listing
from jobs.datasets.images.picture import Pages, Reader
from jobs.datasets.images.stack import Stack
from jobs.datasets.images.values import USUAL, Range
from jobs.datasets.readable import encodable, one_line
from jobs.errors import BadInput

#: Files that one refusal names at most.
NAMED = 5
#: A small file can claim to unpack to gigabytes; nothing that one would train on is larger than this.
MOST_PIXELS = 50_000_000
#: Classes whose number of images is said.
CLASSES = 10


def read(
    path: Path, size: tuple[int, int] | None = None, values: Range | None = None, pages: Pages | None = None
) -> ImageSet:
    """Reads every image under a folder.

    Sub-folders are classes, in the order of their names, and all images below one belong to it. Without
    sub-folders the images have no labels. What is an image is told by its content; names that begin with a
    dot or `__` are not looked at. If all images are grey, so is the set; else it has three channels.
    Orientation in EXIF is applied; what is transparent is laid over white; a palette becomes its colours.
    The range of values that becomes 0 to 255 is told from all of them together. What was not used, or was
    taken for something, is among the set's notes.

    Args:
        path: the folder.
        size: (height, width) in pixels to which every image is resized.
        values: those that become black and white, in place of what they tell themselves.
        pages: which pictures of a file with several count; None: the first of an animation.

    Raises:
        BadInput: no image, one that cannot be read, two sizes, images both inside and beside classes, a class
            whose pictures are of a kind that is not read, values of which none says how bright they are, or
            a file of several pages without `pages`.
    """
    found = listing(path)
    classes = list(found.by_class)
    if found.direct and classes:
        raise BadInput(
            f"{path} has images beside class folders, such as {found.direct[0].name} beside {classes[0]}; "
            "move every image into a class folder, or have no class folders"
        )
    files = found.direct or [file for name in classes for file in found.by_class[name]]
    if not files:
        said = "".join(f"; {note}" for note in found.notes())
        raise BadInput(f"{path} has no image; put files such as .png or .jpg into it{said}")
    images, counts = _stacked(path, files, size, values, pages)
    names, labels = _classes(found.by_class, {} if found.direct else counts)
    notes = (*_of_classes(names, labels), *images.notes, *found.notes(), *_of_names(classes, names))
    return replace(images, labels=labels, class_names=names, notes=notes)


def stacked(
    path: Path, files: list[Path], size: tuple[int, int] | None, values: Range | None, pages: Pages | None
) -> ImageSet:
    """Files below a folder as images without labels, in this order; the arguments are those of `read`.

    Raises:
        BadInput: one cannot be read, two sizes, values of which none says how bright they are, or a file of
            several pages without `pages`.
    """
    return _stacked(path, files, size, values, pages)[0]


def _stacked(
    path: Path, files: list[Path], size: tuple[int, int] | None, values: Range | None, pages: Pages | None
) -> tuple[ImageSet, dict[Path, int]]:
    """The images, and how many each file has."""
    reader = Reader(MOST_PIXELS, size, pages)
    with Stack() as stack:
        counts = _fill(stack, files, reader)
        _check_pages(path, reader)
        ranges = reader.extremes.ranges(values, str(path))
        if any(ranges[kind] != USUAL[kind] for kind in ranges):
            # Only now is it known what the values mean, and pictures may have been resized already.
            counts = _fill(stack, files, Reader(MOST_PIXELS, size, pages, ranges))
        images = stack.images()
    notes = (*reader.extremes.notes(ranges), *_of_pages(reader))
    return ImageSet(images, notes=notes, names=_names(path, counts)), counts


def _names(path: Path, counts: dict[Path, int]) -> tuple[str, ...]:
    """Of all pictures: their file's path in the folder without its suffix, and a number if it has several."""
    names = []
    for file, count in counts.items():
        name = encodable(file.relative_to(path).with_suffix("").as_posix())
        names += [name] if count == 1 else [f"{name}-{number:04d}" for number in range(count)]
    return tuple(names)


def _fill(stack: Stack, files: list[Path], reader: Reader) -> dict[Path, int]:
    """How many pictures each file has, or one message that names what is wrong with each of the first few."""
    stack.clear()
    counts, refused = {}, []
    for file in files:
        try:
            pictures = reader.read(file)
        except BadInput as error:
            refused.append(str(error))
            continue
        counts[file] = len(pictures)
        for picture in pictures:
            stack.add(file, picture)
    if len(refused) == 1:
        raise BadInput(refused[0])
    if refused:
        rest = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
        raise BadInput(f"{len(refused)} of {len(files)} files: {'; '.join(refused[:NAMED])}{rest}")
    return counts


def _classes(
    by_class: dict[str, list[Path]], pictures: dict[Path, int]
) -> tuple[tuple[str, ...], Array | None]:
    """The names of the classes, and the class of each picture."""
    if not pictures:
        return (), None
    names = tuple(map(encodable, by_class))
    counts = [sum(pictures[file] for file in files) for files in by_class.values()]
    if len(set(names)) < len(names):
        raise BadInput(
            f"two class folders have the same name once it is UTF-8: {', '.join(names)}; rename one of them"
        )
    return names, np.repeat(np.arange(len(names), dtype=np.int64), counts)


def _check_pages(path: Path, reader: Reader) -> None:
    if reader.stacks and reader.pages is None:
        file, count = next(iter(reader.stacks.items()))
        total = sum(reader.stacks.values())
        raise BadInput(
            f"{len(reader.stacks)} of the files in {path} have several pages, {total:,} in all ({file.name} "
            f"has {count}); say --pages all at the upload to have an image of each, or "
            "--pages first to have one of each file"
        )


def _of_pages(reader: Reader) -> list[str]:
    notes = []
    if reader.several:
        count, names = sum(reader.several.values()), [file.name for file in reader.several]
        taken = (
            "each is an image"
            if reader.pages == "all"
            else "the first of each is an image (--pages all takes every one)"
        )
        notes.append(f"{len(names)} files hold {count:,} pictures ({first(names)}): {taken}")
    if reader.second:
        names = [file.name for file in reader.second]
        notes.append(
            f"{len(names)} files hold a second picture, as cameras add it, not used ({first(names)})"
        )
    return notes


def _of_classes(names: Sequence[str], labels: Array | None) -> list[str]:
    if labels is None:
        return []
    counts = np.bincount(labels, minlength=len(names))
    shown = [f"{one_line(name, 40)} {count:,}" for name, count in zip(names, counts, strict=True)][:CLASSES]
    more = f" and {len(names) - CLASSES} more" if len(names) > CLASSES else ""
    return [f"images by class: {', '.join(shown)}{more}"]


def _of_names(folders: Sequence[str], names: Sequence[str]) -> list[str]:
    changed = [name for folder, name in zip(folders, names, strict=False) if folder != name]
    return (
        [f"{len(changed)} names of classes are not UTF-8 and written so: {first(changed)}"] if changed else []
    )
