"""The simplest ways to answer, which learn nothing: what a model has to be better than."""

import re
from collections.abc import Sequence

from jobs.transformer.answering.scoring.measures import normalised

#: What lies between two sentences: white space after a mark, nothing after a full-width one, ends of lines.
_BETWEEN = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w[\w'’.-]*\w|\w")


def sentences(context: str) -> list[tuple[int, int]]:
    """First character of each sentence, and the one after its last; white space around it left out."""
    found, begin = [], 0
    for match in _BETWEEN.finditer(context):
        found.append((begin, match.start()))
        begin = match.end()
    found.append((begin, len(context)))
    return [span for span in (_stripped(context, *each) for each in found) if span[0] < span[1]]


def most_words(question: str, context: str) -> tuple[int, int]:
    """The sentence that has most words in common with the question, the first of equals."""
    asked = set(normalised(question).split())
    spans = sentences(context) or [(0, len(context))]
    return max(
        spans, key=lambda span: (len(asked & set(normalised(context[slice(*span)]).split())), -span[0])
    )


def first_noun(question: str, context: str) -> tuple[int, int]:
    """The first run of words that look like a noun: capitals within a sentence, or a number.

    Words of the question do not count, as they are not what is asked for. If there is none, the first word
    that the question does not have; if there is none either, the first word.
    """
    asked = set(normalised(question).split())
    starts = {begin for begin, _ in sentences(context)}
    words = [match.span() for match in _WORD.finditer(context)]
    fresh = [normalised(context[slice(*span)]) not in asked for span in words]
    for number, (begin, end) in enumerate(words):
        if fresh[number] and _is_noun(context[begin:end]) and begin not in starts:
            return begin, _run(context, words[number:], asked)
    others = [span for span, is_fresh in zip(words, fresh, strict=True) if is_fresh]
    return (others or words or [(0, len(context))])[0]


def _run(context: str, words: Sequence[tuple[int, int]], asked: set[str]) -> int:
    """Where a run of such words ends, with nothing but a space between them."""
    end = words[0][1]
    for begin, after in words[1:]:
        word = context[begin:after]
        if context[end:begin] != " " or not _is_noun(word) or normalised(word) in asked:
            break
        end = after
    return end


def _is_noun(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()


def _stripped(context: str, begin: int, end: int) -> tuple[int, int]:
    while begin < end and context[begin].isspace():
        begin += 1
    while begin < end and context[end - 1].isspace():
        end -= 1
    return begin, end
