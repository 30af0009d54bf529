"""The prompts of a job: its rows, the windows they are cut into, and the tokens of each."""

from collections.abc import Iterator
from itertools import accumulate, islice

from jobs.context import JobContext
from jobs.datasets.readable import REPLACEMENT
from jobs.datasets.texts.rows import HALVED, Row
from jobs.dividing.parts import Part
from jobs.errors import BadInput
from jobs.pretrained.tokens import CHARACTERS_PER_TOKEN
from jobs.transformer.bulk.asked import Rows
from jobs.transformer.decoder.generating import Generator, Request
from jobs.transformer.decoder.layout import Array
from jobs.transformer.generation.uses import GenerateTexts

#: Batches of a window, among which prompts are sorted by length.
BATCHES = 4
#: Tokens of an answer, unless the spec says otherwise or half of what the model reads is less.
USUAL_TOKENS = 128


class Prompts(Rows):
    """All prompts of a job: see `Rows`.

    Attributes:
        count: all prompts, those of other parts included.
        window: rows that are read together.
    """

    name = "prompts"

    def __init__(self, spec: GenerateTexts, context: JobContext, part: Part | None = None) -> None:
        super().__init__(spec, context, part)
        self.count = self.counted() if part else self.end
        self.window = max(1, BATCHES * spec.batch_size // spec.answers)

    @staticmethod
    def row_of_spec(text: str) -> Row:
        """White space may be a prompt of its own here; nothing at all is none."""
        return Row(text, HALVED if REPLACEMENT in text else "") if text else Row(None, "empty")

    def windows(self, first: int = 0) -> Iterator[list[Row]]:
        """The rows in lists, from a row on that begins one."""
        found = islice(iter(self), first, None)
        while block := list(islice(found, self.window)):
            yield block

    def ends(self) -> list[int]:
        """The row after each window, found by reading alone."""
        return list(accumulate(len(block) for block in self.windows()))


class Reader:
    """Turns texts into the tokens of prompts.

    Args:
        spec: says whether prompts are questions in a chat, and how long answers may be.
        generator: the model.

    Attributes:
        most: tokens of an answer.

    Raises:
        BadInput: there is no room for a prompt, or no template for a chat.
    """

    def __init__(self, spec: GenerateTexts, generator: Generator) -> None:
        self._spec, self._texts = spec, generator.texts
        positions = generator.layout.positions
        self.most = spec.max_tokens or max(1, min(USUAL_TOKENS, positions // 2))
        self._room = positions - self.most
        if self._room < 1:
            raise BadInput(
                f"max_tokens is {self.most}, and the model reads {positions} tokens, those of the prompt "
                f"included; choose {positions - 1} or less"
            )
        if spec.chat == "always" and not self._texts.chats:
            raise BadInput(
                "chat is 'always', and the tokenizer has no template for chats; leave 'chat' at auto, and "
                "write the prompts as the model was trained on them"
            )
        self._chats = spec.chat != "never" and self._texts.chats
        if spec.system is not None and not self._chats:
            raise BadInput("field 'system' is part of a chat, and the tokenizer has no template for one")

    def requests(self, row: int, text: str) -> tuple[list[Request], bool]:
        """A request for each answer to a prompt, and whether its beginning was cut off.

        Args:
            row: of the prompt.
            text: of it.
        """
        tokens, cut = self._tokens(text)
        return [Request(row, answer, tokens) for answer in range(self._spec.answers)], cut

    def _tokens(self, text: str) -> tuple[Array, bool]:
        most = CHARACTERS_PER_TOKEN * self._room
        cut, text = len(text) > most, text[-most:]
        tokens = self._read(text)
        if len(tokens) > self._room:
            # Of a chat the question is cut, and what the template puts around it stays.
            kept = self._texts.encoded(text, special=False)
            around = len(tokens) - len(kept) if self._chats else 0
            if 0 < around < self._room:
                tokens = self._read(self._texts.decoded(kept[around - self._room :].tolist()))
            tokens, cut = tokens[-self._room :], True
        return tokens, cut

    def _read(self, text: str) -> Array:
        if self._chats:
            return self._texts.encoded(self._texts.chat(text, self._spec.system), special=False)
        return self._texts.prompt(text)
