"""Which texts are trained on, which judge the epochs, and which are kept for the final figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: Streams of random numbers besides the order of epochs, whose keys are (seed, epoch).
_DRAW, _SPLIT = 2**33, 2**34


@dataclass(frozen=True)
class Parts:
    """Numbers of texts by their part, int64 each, sorted; every text is in one part at most."""

    train: Array
    validation: Array
    test: Array


def drawn(labels: Array, seed: int, count: int | None, balanced: bool, class_names: Sequence[str]) -> Array:
    """The numbers of the texts to use, int64, sorted.

    Args:
        labels: the class of each text, int32 (texts,).
        seed: draws them.
        count: how many; None for all, or for as many as the rarest class allows if they are to be balanced.
        balanced: the same number of every class.
        class_names: for errors.

    Raises:
        BadInput: there are not so many.
    """
    shuffled = _generator(seed, _DRAW).permutation(len(labels))
    if not balanced:
        if count is not None and count > len(labels):
            raise BadInput(f"rows is {count}, and there are {len(labels)}; ask for these at most")
        return np.sort(shuffled[:count])
    by_class = _by_class(shuffled, labels, len(class_names))
    fewest = min(len(members) for members in by_class)
    each = fewest if count is None else count // len(by_class)
    rarest = class_names[int(np.argmin([len(members) for members in by_class]))]
    if not fewest:
        raise BadInput(f"rows are to be balanced, and there is no row of {rarest!r}; leave out 'balanced'")
    if each > fewest or each < 1:
        raise BadInput(
            f"rows is {count}, balanced over {len(by_class)} classes, and there are {fewest} of {rarest!r}; "
            f"ask for {len(by_class)} to {fewest * len(by_class)}, or leave out 'balanced'"
        )
    return np.sort(np.concatenate([members[:each] for members in by_class]))


def split(labels: Array, seed: int, validation: float, test: float, classes: int) -> Parts:
    """Cuts texts into parts in which every class has its share, as far as its number allows.

    A text of each class at least is trained on.

    Args:
        labels: the class of each text, int32 (texts,).
        seed: draws the parts.
        validation: a share below 1, or a number of texts.
        test: likewise.
        classes: how many there are.

    Raises:
        BadInput: the two parts leave nothing to train on.
    """
    count = len(labels)
    shares = [part / count if part >= 1 else part for part in (validation, test)]
    if sum(shares) >= 1:
        raise BadInput(
            f"validation={validation:g} and test={test:g} leave none of {count} rows to train on; choose "
            "smaller parts"
        )
    members = _by_class(_generator(seed, _SPLIT).permutation(count), labels, classes)
    spare = [max(0, len(each) - 1) for each in members]  # what a class can give away
    in_test = _shared_out([len(each) for each in members], shares[1], spare)
    spare = [free - taken for free, taken in zip(spare, in_test, strict=True)]
    in_validation = _shared_out([len(each) for each in members], shares[0], spare)
    parts: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for each, tested, judged in zip(members, in_test, in_validation, strict=True):
        for part, piece in zip(parts, np.split(each, [tested, tested + judged]), strict=True):
            part.append(piece)
    tested_rows, judged_rows, rest = (np.sort(np.concatenate(part)) for part in parts)
    return Parts(train=rest, validation=judged_rows, test=tested_rows)


def _shared_out(counts: Sequence[int], share: float, most: Sequence[int]) -> list[int]:
    """Of each class the share, rounded so that the sum is that of the whole (Hare's quotas)."""
    exact = np.array(counts) * share
    given = np.floor(exact).astype(int)
    missing = int(np.rint(exact.sum())) - int(given.sum())
    for number in np.argsort(given - exact, kind="stable")[:missing]:
        given[number] += 1
    return [int(min(number, limit)) for number, limit in zip(given, most, strict=True)]


def _by_class(order: Array, labels: Array, classes: int) -> list[Array]:
    return [order[labels[order] == number] for number in range(classes)]


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))
