"""Texts with their classes: from a file or a spec, checked row by row."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from jobs.datasets.readable import REPLACEMENT
from jobs.datasets.texts.rows import Row, row_of_spec, rows
from jobs.errors import BadInput
from jobs.pretrained.tokens import Array
from jobs.transformer.judging.unknown import advice
from jobs.transformer.spelling import as_named, unified


@dataclass(frozen=True)
class Labelled:
    """Texts, each of a class.

    Attributes:
        texts: as they are in the file.
        labels: int32 (texts,), the number of each text's class.
        class_names: by number.
        left_out: rows that are not among the texts, by the reason.
        notes: what was changed or taken for something, in numbers.
    """

    texts: list[str]
    labels: Array
    class_names: tuple[str, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the texts in their order, as hexadecimal digits."""
        digest = sha256()
        for text in self.texts:
            content = text.encode(errors="surrogatepass")
            digest.update(len(content).to_bytes(8, "little") + content)
        return digest.hexdigest()


def of_file(path: Path, name: str, text_column: str, label_column: str, unlabelled: str) -> Labelled:
    """The rows of a file that have a text and a label.

    Args:
        path: a file of texts.
        name: of the data set, for errors.
        text_column: holds the texts.
        label_column: holds the labels, text or numbers.
        unlabelled: `refuse` or `skip` rows without a label.

    Raises:
        BadInput: no such column, no row of use, or one without a label that is not to be skipped.
    """
    pairs = zip(rows(path, text_column, name), rows(path, label_column, name), strict=True)
    return _unified(*_collected(pairs, name, label_column, unlabelled))


def for_classes(data: Labelled, name: str, unknown: str, classes: Sequence[str]) -> Labelled:
    """The same texts numbered by a model's classes; those whose label is none of them are left out.

    Args:
        data: numbered by its own classes.
        name: of the data set, for errors.
        unknown: `refuse` or `skip` texts with a label that is no class.
        classes: names of the model's classes, by number.

    Raises:
        BadInput: a label that is not to be skipped, or no text with another one.
    """
    names = as_named(data.class_names, classes)
    labels = [names[number] for number in data.labels]
    strange = Counter(label for label in labels if label not in classes)
    if strange and (unknown == "refuse" or len(strange) == len(data.class_names)):
        named = ", ".join(f"{label!r} ({count} rows)" for label, count in strange.most_common(5))
        raise BadInput(
            f"{name!r} has labels that the model has no class for: {named}; its classes are "
            f"{', '.join(classes)}; {advice(unknown, 'rows')}"
        )
    kept = [(text, label) for text, label in zip(data.texts, labels, strict=True) if label in classes]
    left_out = {**data.left_out, **{f"unknown label: {label}": count for label, count in strange.items()}}
    found = numbered([text for text, _ in kept], [label for _, label in kept], left_out, tuple(classes))
    return replace(found, notes=data.notes)


def of_texts(texts: tuple[str, ...], labels: tuple[str, ...]) -> Labelled:
    """The texts of a spec.

    Raises:
        BadInput: a text or a label is empty.
    """
    pairs = ((row_of_spec(text), row_of_spec(label)) for text, label in zip(texts, labels, strict=True))
    return _unified(*_collected(pairs, "texts", "labels", "refuse"))


def numbered(
    texts: list[str], labels: list[str], left_out: Mapping[str, int], class_names: tuple[str, ...] = ()
) -> Labelled:
    """Texts whose labels are names; the classes are sorted, as numbers where all of them are."""
    names = class_names or tuple(sorted(set(labels), key=_as_number if _all_numbers(labels) else str))
    numbers = {name: number for number, name in enumerate(names)}
    return Labelled(texts, np.array([numbers[label] for label in labels], np.int32), names, left_out)


def _unified(texts: list[str], labels: list[str], left_out: dict[str, int], notes: list[str]) -> Labelled:
    labels, changed = unified(labels)
    return replace(numbered(texts, labels, left_out), notes=(*notes, *changed))


def _collected(
    pairs: Iterator[tuple[Row, Row]], name: str, column: str, unlabelled: str
) -> tuple[list[str], list[str], dict[str, int], list[str]]:
    texts: list[str] = []
    labels: list[str] = []
    left_out: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    for number, (text, label) in enumerate(pairs, start=1):
        if text.text is None:
            left_out[f"no text: {text.remark}"] += 1
        elif label.text is None:
            if unlabelled == "refuse":
                raise BadInput(
                    f"row {number} of {name!r} has no label: fill in {column!r}, or say unlabelled='skip' to "
                    "leave such rows out"
                )
            left_out["no label"] += 1
        elif "not UTF-8" in label.remark and REPLACEMENT in label.text:
            # Two classes of such bytes would look the same, and become one.
            raise BadInput(
                f"row {number} of {name!r} has a label that is not UTF-8, {label.text!r} in {column!r}: "
                "upload the file again and say its encoding, such as --encoding cp1252 or --encoding gbk"
            )
        else:
            texts.append(text.text)
            labels.append(label.text.strip())
            remarks.update(
                f"{what} ({row.remark})" for what, row in (("texts", text), ("labels", label)) if row.remark
            )
    if not texts:
        raise BadInput(
            f"{name!r} has no row with both a text and a label ({column!r}): nothing to learn from"
        )
    notes = [f"{count} {what} have U+FFFD for what is not to be read" for what, count in remarks.items()]
    return texts, labels, dict(left_out), notes


def _all_numbers(labels: list[str]) -> bool:
    return all(label.lstrip("-").isdecimal() for label in set(labels))


def _as_number(label: str) -> tuple[int, str]:
    return int(label), label
