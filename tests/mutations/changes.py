"""How an input is changed: bytes of any file, and values in JSON."""

import json
import random
from collections.abc import Callable
from typing import Any

#: Bytes that one or another reader takes for something.
PIECES = (
    *(b"\x00", b"\xff" * 4, b"\xef\xbb\xbf", b"\xff\xfe", b'"', b"'", b"\\", b"\r\n", b"\n\n", b"\t", b","),
    *(
        b";",
        b"{",
        b"}",
        b"]" * 3,
        b"[" * 2_000,
        b"NaN",
        b"1e999",
        b"-0",
        b"null",
        b"\\ud83d",
        b"\xed\xa0\xbd",
    ),
    *("日本\u202e".encode(), b"$0_$9", b"<&|>", b"x" * 5_000, b"9" * 400, b"PK\x03\x04", b"PAR1"),
)
#: Values that a field of JSON may be changed to.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", " ", "a", "absolute", "left", "../x", "\ud83d", "日本", "x" * 3_000, "nan", "1", "\x00", "a\nb"),
    *([], [1], {}, {"a": {"b": 1}}, [[[]]], {"0": "a", "1": "a"}, {"0": "a", "2": "b"}),
)
Change = Callable[[random.Random, bytes], bytes]


def flipped(draws: random.Random, content: bytes) -> bytes:
    """One bit is another one."""
    changed = bytearray(content or b"\x00")
    changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
    return bytes(changed)


def cut(draws: random.Random, content: bytes) -> bytes:
    """Its end is missing; now and then all of it."""
    return content[: draws.choice((0, 1, draws.randrange(len(content) + 1)))]


def without(draws: random.Random, content: bytes) -> bytes:
    """A stretch is missing."""
    first = draws.randrange(len(content) + 1)
    return content[:first] + content[first + draws.randrange(1, 64) :]


def twice(draws: random.Random, content: bytes) -> bytes:
    """A stretch comes twice."""
    first = draws.randrange(len(content) + 1)
    stretch = content[first : first + draws.randrange(1, 200)]
    return content[:first] + stretch + content[first:]


def with_piece(draws: random.Random, content: bytes) -> bytes:
    """Something comes in between, often at the beginning."""
    place = draws.choice((0, 0, len(content), draws.randrange(len(content) + 1)))
    return content[:place] + draws.choice(PIECES) + content[place:]


def overwritten(draws: random.Random, content: bytes) -> bytes:
    """A stretch is something else."""
    place, piece = draws.randrange(len(content) + 1), draws.choice(PIECES)
    return content[:place] + piece + content[place + len(piece) :]


def noise(draws: random.Random, content: bytes) -> bytes:
    """It is nothing that anybody wrote."""
    return draws.randbytes(draws.randrange(1, 400))


def other_encoding(draws: random.Random, content: bytes) -> bytes:
    """As a spreadsheet or an editor might have written it."""
    text = content.decode("latin-1")
    return text.encode(draws.choice(("utf-16", "utf-8-sig", "utf-32", "utf-16-le", "utf-16-be")))


#: Of any file.
BYTES: tuple[Change, ...] = (flipped, flipped, cut, without, twice, with_piece, overwritten, noise)
TEXT: tuple[Change, ...] = (*BYTES, other_encoding)


def json_changed(draws: random.Random, content: bytes) -> bytes:
    """A value somewhere in it is another one, of any type; or a field is gone, or there is one more."""
    data = json.loads(content)
    inner = data
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        key = draws.choice(keys)
        if isinstance(inner[key], dict | list) and inner[key] and draws.random() < 0.7:
            inner = inner[key]
            continue
        what = draws.random()
        if what < 0.75:
            inner[key] = draws.choice(VALUES)
        elif what < 0.9:
            del inner[key]
        elif isinstance(inner, dict):
            inner[f"{key}s"] = draws.choice(VALUES)
        break
    return json.dumps(data).encode()
