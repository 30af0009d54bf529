"""What a model goes on with after a few prompts: shown along its training."""

import io
from collections.abc import Sequence
from textwrap import wrap

from jobs.pictures.lettering import lettering
from jobs.transformer.decoder.generating import Generator, Request, Wish
from jobs.transformer.decoder.layout import Array
from jobs.transformer.decoder.sampling import Sampling

#: Tokens of the held-out text that are gone on with where no prompt is given, and how many such prompts.
BEGINNING, COUNT = 24, 2
#: Characters of a line of the picture, and lines of one text.
_LINE, _LINES = 90, 8
_SAMPLING = Sampling(temperature=0.8, top_p=0.95)


def prompts_of(generator: Generator, texts: Sequence[str], held_out: Array, most: int) -> list[Array]:
    """The tokens to go on with: of texts, or the beginnings of some stretches of the held-out text.

    Args:
        generator: has the tokenizer.
        texts: given by a person.
        held_out: tokens.
        most: tokens that a prompt may have.
    """
    if texts:
        found = [generator.texts.prompt(text)[-most:] for text in texts]
    else:
        size = min(BEGINNING, most)
        begins = [number * len(held_out) // COUNT for number in range(COUNT)]
        found = [held_out[begin : begin + size].astype("int32") for begin in begins]
    return [tokens for tokens in found if len(tokens)]


def written(generator: Generator, prompts: Sequence[Array], seed: int, most: int) -> list[str]:
    """What comes after each prompt: a function of weights, prompts and seed alone."""
    wish = Wish(seed, _SAMPLING, most, (), generator.texts.ends)
    asked = [Request(row, 0, tokens) for row, tokens in enumerate(prompts)]
    found = generator.answers(asked, wish, max(1, len(asked)), lambda done: True)
    by_row = {request.row: answer.text for request, answer in found}
    return [by_row[row] for row in range(len(asked))]


def picture(prompts: Sequence[str], texts: Sequence[str], title: str) -> bytes:
    """Prompts, and what comes after them, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [f"[{prompt}] {text}" for prompt, text in zip(prompts, texts, strict=True)]
    lines = [line for text in shown for line in [*_wrapped(text), ""]]
    letters = lettering(lines, longest=_LINE + 2)
    figure = Figure(figsize=(9, 0.6 + 0.2 * len(lines)), dpi=100)
    FigureCanvasAgg(figure)
    figure.text(0.02, 0.99, title, va="top", weight="bold")
    for number, label in enumerate(letters.labels):
        place = 0.99 - 0.2 * (number + 2) / (0.6 + 0.2 * len(lines))
        figure.text(0.02, place, label, va="top", family=list(letters.fonts), size=9)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _wrapped(text: str) -> list[str]:
    lines = [piece for line in text.splitlines() or [""] for piece in wrap(line, _LINE) or [""]]
    return lines[:_LINES]
