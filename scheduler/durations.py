"""How people write how long something is kept: `30d`, `12h`, `90s`; `off` for ever."""

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
#: A century: longer than any clock here is asked for.
_LONGEST = 36_500 * 86400.0


def seconds(text: str) -> float:
    """A length of time in seconds.

    Raises:
        ValueError: it is not written as a number with a unit, or is longer than a century.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])", text.strip().lower(), re.ASCII)
    found = float(match[1]) * _UNITS[match[2]] if match else _LONGEST + 1
    if found > _LONGEST:
        raise ValueError(
            "it must be a number with a unit (s, m, h, d or w), such as 30d, of a century at most"
        )
    return found


def seconds_kept(text: str) -> float | None:
    """As above; None for `off`: for ever.

    Raises:
        ValueError: it is neither.
    """
    if text.strip().lower() == "off":
        return None
    try:
        return seconds(text)
    except ValueError:
        raise ValueError(
            "it must be off, or a number with a unit (s, m, h, d or w), such as 30d, of a century at most"
        ) from None
