"""Labels that are one and the same, written in several ways: 1, 1.0 and true."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from jobs.errors import BadInput

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?")
_TRUTH = {"true": 1, "false": 0}
#: What programs write for a value that is missing, where a text is wanted.
_MISSING = frozenset({"nan", "null", "none", "na", "n/a", "<na>", "nat", "#n/a"})

Key = tuple[str, str | int]


def unified(labels: list[str]) -> tuple[list[str], list[str]]:
    """The same labels, each class written in one way, and notes on what was changed or may be missing.

    A class that is written in one way alone keeps it. Otherwise a whole number is written without a fraction,
    and of other spellings (`True` and `true`, letters composed or not) the most frequent is taken. True and
    false are 1 and 0 where all other labels are these numbers.

    Raises:
        BadInput: there are other numbers beside true and false.
    """
    counts = Counter(labels)
    keys = _keys(counts)
    spellings: dict[Key, list[str]] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        spellings.setdefault(keys[label], []).append(label)
    chosen = {key: _chosen(key, found) for key, found in spellings.items()}
    notes = []
    for key, found in spellings.items():
        if len(found) > 1:
            written = ", ".join(f"{label!r} ({counts[label]} rows)" for label in found)
            notes.append(f"the labels {written} are the one class {chosen[key]!r}")
    notes += [
        f"{count} rows have the label {label!r}, taken for a class: leave it empty if it is missing"
        for label, count in counts.items()
        if label.lower() in _MISSING
    ]
    return [chosen[keys[label]] for label in labels], notes


def as_named(labels: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Each label as the class is called that it is another spelling of; the label itself if it is of none."""
    keys = [_key(name) for name in classes]
    by_key = {key: name for key, name in zip(keys, classes, strict=True) if keys.count(key) == 1}
    return [label if label in classes else by_key.get(_key(label), label) for label in labels]


def _keys(counts: Counter[str]) -> dict[str, Key]:
    """What each label means: equal for spellings of one class."""
    keys = {label: _key(label) for label in counts}
    kinds = {kind for kind, _ in keys.values()}
    numbers = {value for kind, value in keys.values() if kind == "number"}
    if kinds != {"number", "truth"}:
        return keys
    if not numbers <= {0, 1}:
        named = ", ".join(map(str, sorted(numbers, key=str)[:5]))
        raise BadInput(f"the labels are numbers ({named}) as well as true and false; write them in one way")
    return {label: ("number", value) for label, (_, value) in keys.items()}


def _key(label: str) -> Key:
    if found := _WHOLE.fullmatch(label):
        return "number", int(found[1])
    if label.lower() in _TRUTH:
        return "truth", _TRUTH[label.lower()]
    return "text", unicodedata.normalize("NFC", label)


def _chosen(key: Key, found: Sequence[str]) -> str:
    if len(found) == 1:
        return found[0]
    kind, value = key
    return str(value) if kind in ("number", "text") else found[0]
