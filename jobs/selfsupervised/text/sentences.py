"""Sentences with masked words that are filled after each epoch, so that people see what is learnt."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.datasets.readable import one_line
from jobs.pictures.lettering import lettering
from jobs.selfsupervised.text.asking import ROWS, Asked
from jobs.selfsupervised.text.masking import Hidden
from jobs.selfsupervised.text.preparing import Reading
from jobs.selfsupervised.text.spec import MASK

#: Sentences of the held-out part that are shown, tokens on each side of the masked one, words for each mask.
COUNT, AROUND, WORDS = 4, 10, 3


@dataclass(frozen=True)
class Sentence:
    """A text as a model reads it: tokens, places of its masks, and how people see it."""

    tokens: tuple[int, ...]
    places: tuple[int, ...]
    shown: str


def of_texts(texts: Sequence[str], reading: Reading) -> list[Sentence]:
    """Texts with `[MASK]`; what is longer than a row is cut, and left out if no mask is left."""
    if not texts:
        return []
    mask = str(reading.texts.hugging_face.mask_token)
    tokens, lengths, _ = reading.texts.encoded([text.replace(MASK, mask) for text in texts])
    found, begin = [], 0
    for text, length in zip(texts, lengths.tolist(), strict=True):
        ids = tuple(tokens[begin : begin + length].tolist())
        begin += length
        places = tuple(place for place, token in enumerate(ids) if token == reading.words.mask)
        if places:
            found.append(Sentence(ids, places, one_line(text)))
    return found


def of_held_out(hidden: Hidden, reading: Reading) -> list[Sentence]:
    """Some stretches of the held-out part, each with one token hidden."""
    found = []
    for row in range(min(COUNT, len(hidden))):
        count = int(hidden.there[row].sum())
        if not count:
            continue
        tokens = hidden.tokens[row].copy()
        places = hidden.places[row, :count]
        tokens[places] = hidden.truth[row, :count]
        place = int(places[count // 2])
        before = tokens[max(1, place - AROUND) : place].tolist()
        after = tokens[place + 1 : min(place + 1 + AROUND, int(hidden.lengths[row]) - 1)].tolist()
        ids = (reading.ends.first, *before, reading.words.mask, *after, reading.ends.last)
        decode = reading.tokenizer.decode
        found.append(Sentence(ids, (len(before) + 1,), one_line(f"{decode(before)}{MASK}{decode(after)}")))
    return found


def filled(sentences: Sequence[Sentence], model: Asked, reading: Reading) -> list[list[str]]:
    """For each sentence a line for each of its masks: the most probable words with their probabilities."""
    # In the shape in which rows are scored, as each is compiled anew.
    width = reading.texts.max_length
    tokens = np.full((max(len(sentences), ROWS), width), reading.ends.last, np.int32)
    for number, sentence in enumerate(sentences):
        tokens[number, : len(sentence.tokens)] = sentence.tokens
    lengths = np.ones(len(tokens), np.int32)
    lengths[: len(sentences)] = [len(sentence.tokens) for sentence in sentences]
    at = [number * width + place for number, each in enumerate(sentences) for place in each.places]
    words, shares = model.probable(tokens, lengths, np.array(at, np.int32), WORDS)
    pairs = iter(zip(words.tolist(), shares.tolist(), strict=True))
    return [[_line(*next(pairs), reading) for _ in sentence.places] for sentence in sentences]


def _line(tokens: Sequence[int], shares: Sequence[float], reading: Reading) -> str:
    words = [one_line(reading.tokenizer.decode([token]), 24) or "?" for token in tokens]
    return ", ".join(f"{word!r} {share:.0%}" for word, share in zip(words, shares, strict=True))


def picture(sentences: Sequence[Sentence], lines: Sequence[Sequence[str]], title: str) -> bytes:
    """Sentences, and below each what fills its masks, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [
        row
        for sentence, found in zip(sentences, lines, strict=True)
        for row in ((sentence.shown, True), *((line, False) for line in found))
    ]
    letters = lettering([text for text, _ in rows], 110)
    figure = Figure(figsize=(10, 0.5 + 0.3 * len(rows)), dpi=100)
    figure.text(0.01, 1 - 0.2 / (0.5 + 0.3 * len(rows)), title, va="center", weight="bold", size=9)
    for number, (label, (_, is_sentence)) in enumerate(zip(letters.labels, rows, strict=True)):
        height = 1 - (0.5 + 0.3 * number) / (0.5 + 0.3 * len(rows))
        figure.text(
            0.01 if is_sentence else 0.04,
            height,
            label,
            va="center",
            size=9,
            color="black" if is_sentence else "tab:blue",
            family=list(letters.fonts),
        )
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
