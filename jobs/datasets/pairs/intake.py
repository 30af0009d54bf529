"""Takes in pairs: two folders of files with the same names, halves of pictures, or two arrays.

Nothing is paired by its order: by its name, by lying side by side in one file, or, of arrays, by a person who
has put both into one file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobs.datasets.images import archive, folder
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.listing import Listing, listing
from jobs.datasets.images.packing import checked_range, resized
from jobs.datasets.images.picture import Pages
from jobs.datasets.pairs.pairs import Pairs, size_of
from jobs.datasets.readable import encodable, one_line
from jobs.errors import BadInput

#: How pairs lie: in two folders (or arrays), or as the left and the right half of each picture.
Laid = Literal["pairs", "side-by-side"]
#: What the two folders may be called, the source first.
FOLDERS = (("source", "target"), ("A", "B"), ("a", "b"))


@dataclass(frozen=True)
class Taking:
    """How pictures are read; see `packing.pack`."""

    size: tuple[int, int] | None = None
    range: tuple[float, float] | None = None
    pages: Pages | None = None


_USUAL = Taking()


def take_pairs(path: Path, laid: Laid = "pairs", taking: Taking = _USUAL) -> Pairs:
    """Reads pairs.

    Args:
        path: a folder with the folders `source` and `target` (or `A` and `B`), whose files have the same
            names but for their suffix; for `side-by-side` a folder of pictures, each with the source on the
            left and the target on the right; or an `.npz` with arrays `source` and `target`.
        laid: which of these.
        taking: how pictures are read; a size is that of one picture of a pair.

    Raises:
        BadInput: a picture has no partner, the first of which is named, or cannot be read; sizes differ.
    """
    if taking.pages == "all":
        raise BadInput("pages='all' makes several pictures of a file, which has one partner; give 'first'")
    if not path.exists():
        raise BadInput(f"there is no {path}; give a folder of pairs")
    if path.suffix.lower() == ".npz" and path.is_file():
        if laid == "side-by-side":
            raise BadInput(f"{path.name} is no folder of pictures that lie side by side")
        return _of_arrays(path, taking)
    if not path.is_dir():
        raise BadInput(f"{path} is neither a folder nor an .npz file; put your pairs into a folder")
    return _of_halves(path, taking) if laid == "side-by-side" else _of_folders(path, taking)


def _of_folders(path: Path, taking: Taking) -> Pairs:
    found = listing(path)
    names = next((pair for pair in FOLDERS if set(pair) == set(found.by_class)), None)
    if names is None or found.direct:
        seen = ", ".join(one_line(name, 40) for name in list(found.by_class)[:5]) or "none with an image"
        raise BadInput(
            f"{path} should hold two folders of pictures, 'source' and 'target' (or 'A' and 'B'), and "
            f"nothing beside them; its folders are: {seen}"
            + ("; pictures that hold both halves are uploaded with --as side-by-side" if found.direct else "")
        )
    sides = {name: _by_name(path / name, found.by_class[name]) for name in names}
    _check_partners(sides)
    # The order of the pairs depends on their names alone.
    keys = sorted(sides[names[0]])
    images = [
        folder.stacked(
            path / name,
            [sides[name][key] for key in keys],
            taking.size,
            checked_range(taking.range),
            taking.pages,
        )
        for name in names
    ]
    notes = [f"{name}: {note}" for name, each in zip(names, images, strict=True) for note in each.notes]
    said = f"{len(keys)} pairs of the same names: {names[0]} is the source, {names[1]} the target"
    return Pairs(images[0], images[1], tuple(map(encodable, keys)), (said, *notes, *_unused(found)))


def _by_name(path: Path, files: list[Path]) -> dict[str, Path]:
    """Files by their path in the folder, without the suffix."""
    found: dict[str, Path] = {}
    for file in files:
        name = file.relative_to(path).with_suffix("").as_posix()
        if (other := found.setdefault(name, file)) is not file:
            raise BadInput(
                f"{file} and {other} have the same name but for their suffix, so that their partner cannot "
                "be told; remove one"
            )
    return found


def _check_partners(sides: Mapping[str, Mapping[str, Path]]) -> None:
    """Names the first picture without a partner, and counts all of them."""
    (one, mine), (other, others) = sides.items()
    alone = sorted(
        {(name, one, other) for name in mine.keys() - others.keys()}
        | {(name, other, one) for name in others.keys() - mine.keys()}
    )
    if alone:
        name, has, lacks = alone[0]
        rest = f"; {len(alone)} pictures have none in all" if len(alone) > 1 else ""
        raise BadInput(
            f"{sides[has][name]} has no partner: there is no {one_line(name, 80)!r} in {lacks}{rest}; add "
            "the missing pictures or remove those that are left alone"
        )


def _of_halves(path: Path, taking: Taking) -> Pairs:
    found = listing(path)
    if found.by_class or not found.direct:
        raise BadInput(
            f"{path} should hold pictures whose left half is the source and whose right half is the target, "
            "without sub-folders; two folders are uploaded with --as pairs"
        )
    size = None if taking.size is None else (taking.size[0], 2 * taking.size[1])
    named = _by_name(path, found.direct)
    keys = sorted(named)
    whole = folder.stacked(
        path, [named[key] for key in keys], size, checked_range(taking.range), taking.pages
    )
    width = whole.shape[1]
    if width % 2:
        raise BadInput(
            f"the pictures in {path} are {size_of(whole)} (height x width), and an odd width cannot be cut "
            "into two halves"
        )
    half = width // 2
    said = f"{len(keys)} pictures, cut in the middle: the left half is the source, the right half the target"
    return Pairs(
        ImageSet(whole.images[:, :, :half]),
        ImageSet(whole.images[:, :, half:]),
        tuple(map(encodable, keys)),
        (said, *whole.notes, *_unused(found)),
    )


def _of_arrays(path: Path, taking: Taking) -> Pairs:
    source, target = (
        archive.read_array(path, name, checked_range(taking.range)) for name in ("source", "target")
    )
    if len(source) != len(target):
        raise BadInput(
            f"{path.name}: there are {len(source)} source and {len(target)} target pictures; each needs one "
            "partner"
        )
    if taking.size is not None:
        source, target = resized(source, taking.size), resized(target, taking.size)
    names = tuple(f"{number:04d}" for number in range(len(source)))
    return Pairs(source, target, names, (f"{len(source)} pairs, by their places in both arrays",))


def _unused(found: Listing) -> list[str]:
    return [note for note in found.notes() if note.startswith("not used")]
