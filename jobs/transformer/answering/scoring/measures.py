"""Exact match and F1 as the official evaluation of SQuAD defines them.

Rajpurkar et al. 2016, section 6.1 (https://arxiv.org/abs/1606.05250), and Rajpurkar et al. 2018, section 4.4
(https://arxiv.org/abs/1806.03822), for questions without an answer.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = frozenset(string.punctuation)


def normalised(text: str) -> str:
    """In small letters, without punctuation (that of ASCII), articles and white space that says nothing."""
    bare = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact(answer: str, right: str) -> float:
    """1 if both are the same once normalised, else 0."""
    return float(normalised(answer) == normalised(right))


def f1(answer: str, right: str) -> float:
    """Harmonic mean of precision and recall over the words of both, each as often as it is there."""
    found, wanted = normalised(answer).split(), normalised(right).split()
    if not found or not wanted:
        return float(found == wanted)
    same = (Counter(found) & Counter(wanted)).total()
    if not same:
        return 0.0
    precision, recall = same / len(found), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def best(answer: str, rights: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 with the answer that is nearest, of those that people gave.

    Args:
        answer: empty if none was found.
        rights: none if the document does not answer the question. What is nothing once normalised does not
            count, as in the official script.
    """
    wanted = [right for right in rights if normalised(right)] or [""]
    return max(exact(answer, right) for right in wanted), max(f1(answer, right) for right in wanted)
