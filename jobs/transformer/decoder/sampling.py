"""Which token comes next: greedy, or drawn from what a few rules leave of the distribution.

All in NumPy, row by row: so a row's token depends on its own logits and on its own draw alone, and half of a
vocabulary need not be sorted for it.
"""

from dataclasses import dataclass

import numpy as np

from jobs.transformer.decoder.layout import Array

_MASK = 2**64 - 1


def draw(seed: int, row: int, answer: int, place: int) -> float:
    """A number in [0, 1) that follows from these four alone, by the mixing of SplitMix64 (Steele, 2014).

    Args:
        seed: of the job.
        row: of the prompt among all.
        answer: of the answer among those to a prompt.
        place: of the token in its answer.
    """
    state = 0
    for number in (seed, row, answer, place):
        state = (state ^ number) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return (state >> 11) / 2.0**53


@dataclass(frozen=True)
class Sampling:
    """What may come next, and how likely.

    The rules apply in the order in which they stand here, as in the library transformers.

    Attributes:
        repetition_penalty: what logits of tokens that are there already are divided by, negative ones
            multiplied (Keskar et al., 2019, section 4.1); 1 = nothing.
        temperature: what logits are divided by; 0 = always the most likely token.
        top_k: so many of the most likely tokens may come; 0 = all.
        top_p: of the most likely tokens, as many as have this probability together (Holtzman et al., 2020).
        min_p: only tokens with this share of the most likely one's probability (Nguyen et al., 2025).
    """

    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def choose(self, logits: Array, seen: Array, number: float) -> int:
        """The next token.

        Args:
            logits: float32 (vocabulary,); they are changed.
            seen: tokens of prompt and answer so far, int (tokens,).
            number: in [0, 1), as `draw` gives it; the same number takes the same token.
        """
        if self.repetition_penalty != 1:
            known = logits[seen]
            penalty = np.float32(self.repetition_penalty)
            logits[seen] = np.where(known > 0, known / penalty, known * penalty)
        if self.temperature == 0:
            return int(logits.argmax())
        tokens, shares = self.left(logits)
        sums = np.cumsum(shares)
        place = int(np.searchsorted(sums, number * sums[-1], side="right"))
        return int(tokens[min(place, len(tokens) - 1)])

    def left(self, logits: Array) -> tuple[Array, Array]:
        """The tokens that may come, ascending, int64 (some,), and what each is worth, float64 (some,).

        Args:
            logits: float32 (vocabulary,), after the penalty.
        """
        scaled = (logits.astype(np.float64) - logits.max()) / self.temperature
        tokens = np.arange(len(scaled))
        if 0 < self.top_k < len(scaled):
            least = np.partition(scaled, -self.top_k)[-self.top_k]
            tokens = np.flatnonzero(scaled >= least)
        shares = np.exp(scaled[tokens])
        if self.top_p < 1:
            kept = _nucleus(shares, self.top_p)
            tokens, shares = tokens[kept], shares[kept]
        if self.min_p > 0:
            likely = shares >= self.min_p * shares.max()
            tokens, shares = tokens[likely], shares[likely]
        return tokens, shares


def _nucleus(shares: Array, probability: float) -> Array:
    """The fewest numbers of the largest shares that have this probability together, ascending."""
    total = shares.sum()
    # What is smaller than this has less than the rest of the probability together, and need not be sorted.
    some = np.flatnonzero(shares >= (1 - probability) * total / len(shares))
    order = some[np.argsort(-shares[some], kind="stable")]
    count = int(np.searchsorted(np.cumsum(shares[order]), probability * total)) + 1
    return np.sort(order[:count])
