"""Names and texts from outside, made fit to be stored, printed and drawn."""

import re
import unicodedata

#: Half of a character beyond U+FFFF. Python's text may hold one; no encoding, library or server takes it.
_HALF = re.compile("[\ud800-\udfff]")
#: What replaces a thing that cannot be decoded.
REPLACEMENT = "\ufffd"
#: Marks that make what follows run from right to left: a name with one reads as another.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def encodable(text: str) -> str:
    r"""The same text, with each byte of a file's name that is not UTF-8 as `\xe9`, other halves as U+FFFD."""
    return _HALF.sub(_whole, text)


def without_halves(text: str) -> tuple[str, int]:
    """The same text with U+FFFD in place of each half of a character, and how many there were."""
    return _HALF.subn(REPLACEMENT, text)


def readable(value: object) -> object:
    """A text without halves of characters; whatever is no text as it is."""
    return without_halves(value)[0] if isinstance(value, str) else value


def one_line(text: str, most: int | None = None) -> str:
    r"""A text as people are to see it: control characters and turning marks are written as `\n`, `\u202e`.

    Args:
        text: from anywhere.
        most: characters that are shown; of a longer text the beginning.
    """
    shown = "".join(_visible(character) for character in encodable(text))
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def _whole(half: re.Match[str]) -> str:
    # Python reads the bytes 80 to FF of a name that is not UTF-8 as U+DC80 to U+DCFF.
    number = ord(half.group()) - 0xDC00
    return f"\\x{number:02x}" if 0x80 <= number <= 0xFF else REPLACEMENT


def _visible(character: str) -> str:
    if character in _TURNING or unicodedata.category(character) in ("Cc", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
