"""What a job asks: a trained model with its tokenizer and engine, which stays in memory between jobs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.pretrained.models import segments
from jobs.pretrained.pairs import Pairs
from jobs.pretrained.sources import MODEL, checkpoint_of
from jobs.pretrained.spans import check_answers, load_spans
from jobs.pretrained.tokens import Array
from jobs.transformer.answering.documents.reading import READING, Reading
from jobs.transformer.answering.documents.windows import Rows
from jobs.transformer.answering.uses import Asking
from jobs.transformer.bulk.engine import Batch, Choice, Engine, spanning
from jobs.transformer.bulk.held import held
from jobs.transformer.encoder.lengths import batches_of


@dataclass(frozen=True, eq=False)
class Answerer:
    """Finds answers.

    Attributes:
        pairs: its tokenizer.
        reading: how it reads documents.
        engine: computes logits.
        segments: whether the engine is told where the second text begins.
    """

    pairs: Pairs
    reading: Reading
    engine: Engine
    segments: bool

    def logits(self, rows: Rows, batch_size: int, go_on: Callable[[int], bool]) -> list[Array] | None:
        """Logits of rows, float32 (tokens, 2) for each; None if they are not all computed.

        Args:
            rows: what to compute.
            batch_size: rows in a batch.
            go_on: called after each batch with the rows done so far; False ends the work.
        """
        chosen = list(batches_of(rows.lengths, batch_size))
        found: list[Any] = [None] * len(rows)
        done = 0

        def batches() -> Iterator[Batch]:
            for numbers in chosen:
                batch = rows.batch(numbers)
                yield batch if self.segments else batch[:2]

        lengths = rows.lengths
        for numbers, output in zip(chosen, self.engine.run(batches()), strict=True):
            for row, values in zip(numbers, output, strict=True):
                found[row] = values[: lengths[row]]
            done += len(numbers)
            if not go_on(done) and done < len(rows):
                return None
        return found


def answerer(spec: Asking[Any], choice: Choice, context: JobContext) -> Answerer:
    """The model that a spec names.

    Raises:
        BadInput: it cannot be had here, or finds no answers; the text says what to do.
    """

    def read(folder: Path) -> Answerer:
        reading = Reading.of(spec, folder)
        pairs = Pairs(folder, reading.max_length)
        loaded = load_spans(folder)
        check_answers(folder, loaded.has_head)
        return Answerer(pairs, reading, spanning(loaded, choice), segments(loaded.family))

    asked = (spec.max_length, spec.max_question, spec.stride, spec.max_answer, spec.threshold)
    what = f"answerer {asked} {choice}"
    return held(what, spec.model, lambda: folder_of(spec, context), context, read, (READING,))


def folder_of(spec: Asking[Any], context: JobContext) -> Path:
    """The folder of the checkpoint that a spec names.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    folder = checkpoint_of(spec.model, spec.pretrained or "", context)
    return folder if spec.model is None else context.artifact_of(spec.model, f"{MODEL}/{READING}").parent
