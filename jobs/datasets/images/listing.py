"""Which files of a folder are images: told by their content, and what is not used counted by its reason."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, features

from jobs.datasets.readable import one_line
from jobs.errors import BadInput

#: Files with these endings are meant to be images: one that cannot be read is refused, not passed over.
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
#: Pillow's names of what is read, whatever a file is called. Not those that start a program (EPS) or hold
#: drawings in layers (PSD), and none that is told by no mark of its own (TGA).
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "QOI", "PCX", "SGI")
#: Files of a kind that one sentence names.
NAMED = 3
#: Endings of copies that programs leave beside a file, and of raw pictures, whose TIFF is a small preview.
_COPIES = (".bak", ".orig", ".tmp", ".part", ".crdownload", "~")
_RAW = (".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
_HEAD = 256
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

#: Pictures that are not read, and how to have them read.
_CONVERT = "convert it to JPEG or PNG"
_REASONS = {
    "HEIC": "HEIC, which is not read",
    "AVIF": "AVIF, which is not read here",
    "JPEG XL": "JPEG XL, which is not read",
    "raw": "raw pictures of cameras",
    "SVG": "SVG, which has no pixels",
    "PDF": "PDF",
    "Photoshop": "Photoshop files",
    "video": "videos",
    "NumPy": "arrays of NumPy",
    "DICOM": "DICOM",
    "EPS": "EPS",
}


@dataclass
class Listing:
    """What is in a folder.

    Attributes:
        direct: images in the folder itself.
        by_class: images below each sub-folder, by its name; in the order of the names.
        unused: names of what is not used, by the reason.
        folders: names of the folders in each class folder that have images.
    """

    direct: list[Path] = field(default_factory=list)
    by_class: dict[str, list[Path]] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    folders: dict[str, set[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What was not used, in numbers; and folders in which classes may have been meant otherwise."""
        notes = []
        if self.unused:
            count = sum(map(len, self.unused.values()))
            reasons = "; ".join(f"{len(names)} {why} ({first(names)})" for why, names in self.unused.items())
            notes.append(f"not used: {count} of the files and folders: {reasons}")
        inside = [names for names in self.folders.values() if names]
        if inside and len(inside) == len(self.by_class) and (len(inside) == 1 or _alike(inside)):
            notes.append(
                f"the class folders {first(list(self.by_class))} hold folders ({first(sorted(inside[0]))}), "
                "whose images count to the class above them; upload one of the class folders alone to have "
                "these as classes"
            )
        return notes


def listing(path: Path) -> Listing:
    """Looks through a folder.

    Raises:
        BadInput: a folder cannot be opened, or a class has pictures of which none can be read.
    """
    found = Listing()
    folders = []
    for item in _inside(path):
        if _hidden(item):
            found.unused["hidden"].append(item.name)
        elif item.is_dir():
            folders.append(item)
        elif _is_image(item, found.unused):
            found.direct.append(item)
    for folder in folders:
        _look_into(folder, found)
    return found


def first(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(one_line(name, 60) for name in names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"


def reason_of(path: Path) -> str:
    """What a file is that no reader here takes for an image; empty if it has no known mark."""
    if path.suffix.lower() in _RAW:
        return _REASONS["raw"]
    with path.open("rb") as file:
        mark = _mark(file.read(_HEAD))
    return _REASONS.get(mark, "")


def advice(reason: str) -> str:
    """What to do about a picture that is not read."""
    return f"it is {reason.partition(',')[0]}; {_CONVERT}"


def _look_into(folder: Path, found: Listing) -> None:
    unused: dict[str, list[str]] = defaultdict(list)
    files = [file for file in _below(folder, unused) if _is_image(file, unused)]
    unread = {why: names for why, names in unused.items() if why in _REASONS.values()}
    if not files and unread:
        counted = "; ".join(f"{len(names)} {why} ({first(names)})" for why, names in unread.items())
        raise BadInput(
            f"no image of the class {one_line(folder.name)!r} can be read: {counted}; convert them to JPEG "
            f"or PNG, or remove the folder {one_line(str(folder))}"
        )
    for why, names in unused.items():
        found.unused[why] += names
    if files:
        # As `sorted` orders paths: the order of the images depends on their names alone.
        found.by_class[folder.name] = sorted(files)
        found.folders[folder.name] = {
            file.relative_to(folder).parts[0] for file in files if file.parent != folder
        }
    else:
        found.unused["folders without an image"].append(folder.name)


def _below(folder: Path, unused: dict[str, list[str]]) -> Iterator[Path]:
    """Every file below a folder. Links to folders are not followed: they may lead back."""
    for item in _inside(folder):
        if _hidden(item):
            unused["hidden"].append(item.name)
        elif not item.is_dir():
            yield item
        elif item.is_symlink():
            unused["links to folders, which are not followed"].append(item.name)
        else:
            yield from _below(item, unused)


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise BadInput(f"{folder} cannot be opened ({error.strerror}); make it readable") from error


def _hidden(path: Path) -> bool:
    return path.name.startswith((".", "__"))


def _is_image(path: Path, unused: dict[str, list[str]]) -> bool:
    try:
        if not path.is_file():
            unused["no file, or a link to none"].append(path.name)
            return False
        if path.suffix.lower() in ENDINGS:
            return True
        why = _why_not(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be opened ({error.strerror}); make it readable") from error
    if why:
        unused[why].append(path.name)
    return not why


def _why_not(path: Path) -> str:
    """Why a file with another ending is not used; empty if it is an image."""
    if path.name.lower().endswith(_COPIES):
        return "copies that a program has left"
    if path.stat().st_size == 0:
        return "empty"
    if why := reason_of(path):
        return why
    return "" if is_readable(path) else "no image"


def is_readable(path: Path) -> bool:
    """Whether Pillow knows a file's content for an image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS):
                return True
    except Image.DecompressionBombError:
        return True  # whoever reads it says that it is too large
    except Exception:  # each of Pillow's readers has its own
        return False


def _mark(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIC:
            return "HEIC"
        if head[8:12] in (b"avif", b"avis"):
            return "" if features.check("avif") else "AVIF"
        return "video"
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return "SVG"
    marks = {
        b"%PDF": "PDF",
        b"8BPS": "Photoshop",
        b"\x1aE\xdf\xa3": "video",
        b"\x93NUMPY": "NumPy",
        b"%!PS": "EPS",
        b"\xff\x0a": "JPEG XL",
        b"\0\0\0\x0cJXL ": "JPEG XL",
    }
    for mark, name in marks.items():
        if head.startswith(mark):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video"
    return "DICOM" if head[128:132] == b"DICM" else ""


def _alike(inside: list[set[str]]) -> bool:
    names = Counter(name for each in inside for name in each)
    return any(count == len(inside) for count in names.values())
