"""Which questions are trained on, which judge the epochs, and which are kept for the final figures."""

from dataclasses import dataclass

import numpy as np

from jobs.datasets.questions.sets import QuestionSet
from jobs.errors import BadInput
from jobs.pretrained.tokens import Array

#: Streams of random numbers besides the order of epochs, whose keys are (seed, epoch).
_DRAW, _SPLIT = 2**33, 2**34


@dataclass(frozen=True)
class Parts:
    """Numbers of questions by their part, int64 each, sorted; no document is in two parts."""

    train: Array
    validation: Array
    test: Array


def drawn(data: QuestionSet, seed: int, count: int | None) -> Array:
    """The numbers of the questions to use, int64, sorted.

    Raises:
        BadInput: there are not so many.
    """
    if count is not None and count > len(data):
        raise BadInput(f"rows is {count}, and there are {len(data)} questions; ask for these at most")
    return np.sort(_generator(seed, _DRAW).permutation(len(data))[:count])


def split(data: QuestionSet, numbers: Array, seed: int, validation: float, test: float) -> Parts:
    """Cuts questions into parts by their documents.

    Args:
        data: the set.
        numbers: of the questions to use.
        seed: draws the documents.
        validation: a share below 1, or a number of questions; a part has so many at least, as its documents
            are whole.
        test: likewise.

    Raises:
        BadInput: nothing is left to train on.
    """
    documents: dict[int, list[int]] = {}
    for number in numbers.tolist():
        documents.setdefault(data.questions[number].document, []).append(number)
    waiting = [documents[key] for key in sorted(documents)]
    order = _generator(seed, _SPLIT).permutation(len(waiting)).tolist()
    parts: list[Array] = []
    for part in (test, validation):
        wanted = part if part >= 1 else round(part * len(numbers))
        taken: list[int] = []
        while order and len(taken) < wanted:
            taken += waiting[order.pop()]
        parts.append(np.array(sorted(taken), np.int64))
    rest = [number for key in order for number in waiting[key]]
    if not rest:
        raise BadInput(
            f"validation={validation:g} and test={test:g} leave none of {len(waiting)} documents to train "
            "on, as each is in one part as a whole; choose smaller parts, or 0"
        )
    return Parts(np.array(sorted(rest), np.int64), parts[1], parts[0])


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))
