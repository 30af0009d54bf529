"""The best spans of a document for a question, over all windows, from the logits of their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.pretrained.pairs import Pieces
from jobs.pretrained.tokens import Array
from jobs.transformer.answering.documents.windows import Rows


@dataclass(frozen=True)
class Span:
    """Some characters of a document.

    Attributes:
        score: sum of the logits to begin and to end an answer, minus that of no answer.
        begin: its first character.
        end: the character after its last one.
        window: number of the window that it was found in.
    """

    score: float
    begin: int
    end: int
    window: int


def best_spans(
    logits: Sequence[Array],
    rows: Rows,
    documents: Mapping[int, Pieces],
    on: Sequence[int],
    most: int,
    count: int,
) -> list[list[Span]]:
    """The best spans for each question, the best first; none where a document has no token.

    The score of a span is s_i + e_j - (s_0 + e_0), where s and e are the logits to begin and to end, i and j
    its first and last token, and 0 is the first token of a row, which stands for no answer (section 4.3 of
    Devlin et al. 2018, https://arxiv.org/abs/1810.04805); of several windows, that with the least s_0 + e_0
    counts for it. All spans of a window are looked at, not only those of the best beginnings and ends. Of
    equal scores the first in the document comes first.

    Args:
        logits: of each row, float32 (tokens or more, 2).
        rows: what they are of.
        documents: tokens of each document, by its number.
        on: the document of each question.
        most: tokens of a span at most.
        count: spans of a question at most.
    """
    found: list[dict[tuple[int, int], tuple[float, int]]] = [{} for _ in on]
    nothing = [np.inf] * len(on)
    numbers = [0] * len(on)
    firsts = rows.firsts
    for row, values in enumerate(logits):
        owner, first, length = int(rows.owners[row]), int(firsts[row]), int(rows.window_length[row])
        wide = values.astype(np.float64)
        nothing[owner] = min(nothing[owner], float(wide[0].sum()))
        begin = int(rows.begins[row])
        pieces = documents[on[owner]]
        places = slice(begin, begin + length)
        scores = _scores(wide[first : first + length], pieces.may_begin[places], pieces.may_end[places], most)
        best = found[owner]
        for score, one, other in _highest(scores, count):
            span = int(pieces.begins[begin + one]), int(pieces.ends[begin + other])
            if span not in best or score > best[span][0]:
                best[span] = score, numbers[owner]
        numbers[owner] += 1
    return [
        [
            Span(score - least, *span, window)
            for span, (score, window) in sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:count]
        ]
        for best, least in zip(found, nothing, strict=True)
    ]


def _scores(logits: Array, may_begin: Array, may_end: Array, most: int) -> Array:
    """Of each span by its first token and its length, float64 (tokens, lengths); minus infinity if none."""
    lengths = min(most, len(logits))
    begin = np.where(may_begin, logits[:, 0], -np.inf)
    end = np.concatenate([np.where(may_end, logits[:, 1], -np.inf), np.full(lengths - 1, -np.inf)])
    summed: Array = begin[:, np.newaxis] + np.lib.stride_tricks.sliding_window_view(end, lengths)
    return summed


def _highest(scores: Array, count: int) -> list[tuple[float, int, int]]:
    """The highest scores with first and last token; more than `count` where some are equal."""
    flat = scores.reshape(-1)
    bound = np.partition(flat, -count)[-count] if count < len(flat) else -np.inf
    chosen = np.flatnonzero((flat >= bound) & (flat > -np.inf))
    first, more = np.divmod(chosen, scores.shape[1])
    return list(zip(flat[chosen].tolist(), first.tolist(), (first + more).tolist(), strict=True))
