"""What translated pictures are called: as their files were, where that is allowed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Characters of each part of a name, without the suffix and a number.
LONGEST = 110
_OTHER, _FIRST = re.compile(r"[^A-Za-z0-9._-]"), re.compile(r"^[.-]")


@dataclass(frozen=True)
class FileNames:
    """Names without a suffix, all different, and how many are not what they were."""

    names: tuple[str, ...]
    changed: int


@lru_cache(maxsize=4)
def file_names(names: Sequence[str], count: int) -> FileNames:
    """The names of pictures in their order; numbers where a data set has no names.

    What is not allowed in the name of an artifact becomes `_`. Of names that only differ in what is not
    allowed, or in capitals, the later ones get a number.

    Args:
        names: of the data set, maybe with folders; or none.
        count: pictures.
    """
    if not names:
        return FileNames(tuple(f"{number:04d}" for number in range(count)), 0)
    found: dict[str, str] = {}
    for name in names:
        allowed = "/".join(map(_allowed, name.split("/")))
        new, number = allowed, 2
        while new.lower() in found:
            new, number = f"{allowed}-{number}", number + 1
        found[new.lower()] = new
    changed = sum(name != new for name, new in zip(names, found.values(), strict=True))
    return FileNames(tuple(found.values()), changed)


def _allowed(part: str) -> str:
    return _FIRST.sub("_", _OTHER.sub("_", part))[:LONGEST] or "_"
