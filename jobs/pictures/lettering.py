"""Names on pictures: with letters that a font at hand has, and never taken for mathematics."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobs.datasets.readable import one_line

#: Characters of a name that are shown.
LONGEST = 24
#: Comes with Matplotlib, so that it is there on every machine.
FONT = "DejaVu Sans"
#: What is drawn for a letter that no font here has.
_BOX = "\u25af"
#: Weights of the fonts that are looked at: of the others Matplotlib would say that it took another.
_REGULAR = (400, "normal", "regular", "book")


@dataclass(frozen=True)
class Lettering:
    """How names are drawn.

    Attributes:
        labels: one for each name, as Matplotlib takes them.
        fonts: families that have all their letters, the first preferred.
        remark: what is not shown as it is; empty if all is.
    """

    labels: tuple[str, ...]
    fonts: tuple[str, ...]
    remark: str = ""


def lettering(names: Sequence[str], longest: int = LONGEST) -> Lettering:
    """Makes names of classes fit to be drawn.

    A long one is cut. One with letters that no font on this machine has is drawn as its number, `class 3`.

    Args:
        names: by number.
        longest: characters that are shown.
    """
    cleaned = [_without_joiners(one_line(name)) for name in names]
    fonts, missing = _fonts(frozenset("".join(cleaned)))
    unknown = [bool(set(name) & missing) for name in cleaned]
    shown = [f"class {number}" if unknown[number] else name for number, name in enumerate(cleaned)]
    cut = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in shown]
    twice = {name for name, count in Counter(cut).items() if count > 1}
    told = [f"{name[: longest - 5]} ({n})" if name in twice else name for n, name in enumerate(cut)]
    count = sum(unknown)
    remark = f"{count} names are shown as numbers:\nno font here has their letters" if count else ""
    return Lettering(tuple(map(verbatim, told)), fonts, remark)


def verbatim(text: str) -> str:
    """A text that Matplotlib draws as it is: dollar signs would begin mathematics."""
    return text.replace("$", r"\$")


def _without_joiners(name: str) -> str:
    """Without characters that have no picture of their own and only change their neighbours."""
    return "".join(
        character
        for character in name
        if unicodedata.category(character) != "Cf" and not "\ufe00" <= character <= "\ufe0f"
    )


@lru_cache(maxsize=64)
def _fonts(characters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families that have the characters between them, and the characters that none has."""
    from matplotlib.font_manager import findfont, fontManager

    families = [FONT]
    missing = characters - _letters_of(findfont(FONT), characters)
    files = {entry.name: entry.fname for entry in fontManager.ttflist if entry.weight in _REGULAR}
    for family in sorted(filter(_is_real, files)):
        if not missing:
            break
        if had := _letters_of(files[family], missing):
            families.append(family)
            missing -= had
    return tuple(families), frozenset(missing)


def _is_real(family: str) -> bool:
    # It has every letter, and draws each as a box with the name of its script.
    return not family.startswith("Last Resort")


def _letters_of(file: str, characters: frozenset[str]) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    try:
        font: Any = get_font(file)
        return frozenset(character for character in characters if font.get_char_index(ord(character)))
    except (OSError, RuntimeError, ValueError):  # a broken font, or one of pictures alone
        return frozenset()


def drawable(text: str) -> tuple[str, tuple[str, ...]]:
    """A text of one line that can be drawn, a box for each letter that no font here has, and its fonts."""
    cleaned = _without_joiners(one_line(text))
    fonts, missing = _fonts(frozenset(cleaned))
    return verbatim("".join(_BOX if character in missing else character for character in cleaned)), fonts
