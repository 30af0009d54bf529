"""What kind of answer a question has, told by its form alone, and how long its document is."""

from collections.abc import Sequence
from itertools import pairwise

#: Characters of a document from which on it counts to the next group.
LENGTHS = (500, 1_000, 2_000, 10_000)
#: Words from which on an answer is a clause.
CLAUSE = 6
NO_ANSWER = "no answer"


def kind_of(rights: Sequence[str]) -> str:
    """`number`, `name`, `phrase`, `clause`, or `no answer`; of several answers the first counts.

    A number has a digit; a name begins every word of four letters or more with a capital; a clause has six
    words or more; everything else is a phrase.
    """
    if not rights:
        return NO_ANSWER
    words = rights[0].split()
    if len(words) >= CLAUSE:
        return "clause"
    if any(character.isdigit() for character in rights[0]):
        return "number"
    long = [word for word in words if len(word) > 3] or words
    return "name" if all(word[0].isupper() for word in long) else "phrase"


def length_of(context: str) -> str:
    """The group that a document is in by its characters, such as `500 to 999`."""
    size = len(context)
    if size < LENGTHS[0]:
        return f"below {LENGTHS[0]:,}"
    for low, high in pairwise(LENGTHS):
        if size < high:
            return f"{low:,} to {high - 1:,}"
    return f"{LENGTHS[-1]:,} or more"
