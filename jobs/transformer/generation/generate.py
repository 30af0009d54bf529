"""Answers every prompt, and writes a table of the answers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from jobs.context import JobContext
from jobs.dividing.parts import Cuts, Part, PartResult, Piece, together
from jobs.transformer.bulk import tables
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.windows import CUT, SHOWN, Window
from jobs.transformer.decoder.generating import Answer, Generator, Wish
from jobs.transformer.decoder.layout import Array
from jobs.transformer.decoder.sampling import Sampling
from jobs.transformer.generation import answers
from jobs.transformer.generation.answers import AnswerShard
from jobs.transformer.generation.held import generator
from jobs.transformer.generation.prompts import Prompts, Reader
from jobs.transformer.generation.uses import Generated, GenerateTexts


class _Work:
    """What is generated of some rows.

    Args:
        spec: of the job.
        context: of the job.
        prompts: the rows.
        choice: what to calculate with, and in.
        batch_size: answers computed at once.

    Attributes:
        bulk: has the shards.
        tokens: that this attempt has generated.
    """

    def __init__(
        self, spec: GenerateTexts, context: JobContext, prompts: Prompts, choice: Choice, batch_size: int
    ) -> None:
        self._spec, self._prompts, self._batch_size = spec, prompts, batch_size
        self._generator: Generator = generator(spec, context, choice)
        self._reader = Reader(spec, self._generator)
        self._wish = Wish(
            seed=spec.seed,
            sampling=Sampling(spec.repetition_penalty, spec.temperature, spec.top_k, spec.top_p, spec.min_p),
            most=self._reader.most,
            stops=spec.stops,
            ends=self._generator.texts.ends,
        )
        self.tokens = 0
        self.bulk = Bulk(
            spec, context, choice, prompts.first, prompts.end, ".parquet", spec.checkpoint_seconds
        )

    def run(self) -> None:
        """Does it, from where an earlier attempt has come to."""
        self.bulk.resume()
        self.bulk.run(self._computed, AnswerShard)

    def _computed(self, first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Window, Array]]:
        done = 0
        for block in self._prompts.windows(first):
            remarks = [row.remark for row in block]
            requests = []
            for number, row in enumerate(block):
                if row.text is None:
                    continue
                asked, cut = self._reader.requests(first + number, row.text)
                requests += asked
                if cut:
                    remarks[number] = f"{remarks[number]}, {CUT}" if remarks[number] else CUT
            before, many = done, self._spec.answers
            found: dict[tuple[int, int], Answer] = {}
            wanted = self._generator.answers(
                requests,
                self._wish,
                self._batch_size,
                lambda count: go_on(before + count // many),  # noqa: B023
            )
            for request, answer in wanted:
                found[request.row - first, request.answer] = answer
                self.tokens += answer.tokens
            if len(found) < len(requests):
                return  # asked to stop in the middle
            shown = [row.text and row.text[:SHOWN] for row in block]
            yield Window(first, shown, remarks, []), answers.as_array(found, len(block), many)
            first, done = first + len(block), done + len(block)


def run(spec: GenerateTexts, context: JobContext) -> Generated:
    """Saves `answers.parquet`, or `.csv` or `.jsonl`: see `jobs.transformer.generation.answers.SCHEMA`.

    It goes on from the windows whose answers an earlier attempt has saved.

    Raises:
        BadInput: the model or the prompts cannot be loaded or used, or there is no prompt; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began, choices = time.monotonic(), _choices(spec, Prompts(spec, context))
    work = _computed(spec, context, None, choices)
    seconds = time.monotonic() - began
    return _whole(spec, context, work.bulk.shards, str(_choice(choices)), seconds, work.tokens)


def cuts(spec: GenerateTexts, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between windows, all parts with batches of one shape."""
    prompts = Prompts(spec, context)
    return Cuts(prompts.ends(), choices=_choices(spec, prompts))


def compute(spec: GenerateTexts, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the table."""
    began = time.monotonic()
    work = _computed(spec, context, part, part.choices)
    seconds = time.monotonic() - began
    return work.bulk.part_result(engine=str(_choice(part.choices)), seconds=seconds, tokens=work.tokens)


def join(spec: GenerateTexts, context: JobContext, pieces: Sequence[Piece]) -> Generated:
    """See `jobs.dividing.parts`: the table of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    seconds = sum(float(piece.facts["seconds"]) for piece in pieces)
    tokens = sum(int(piece.facts["tokens"]) for piece in pieces)
    return _whole(spec, context, shards, together(pieces, "engine"), seconds, tokens)


def _choices(spec: GenerateTexts, prompts: Prompts) -> Mapping[str, str]:
    """What all parts do alike: what they calculate with and in, and how large their batches are.

    The last bits of a product depend on its shape. So a batch has one shape in all of a job, by the number of
    answers that there are in all, if they are fewer than the batch has room for.
    """
    rows = 1
    while rows < min(spec.batch_size, prompts.count * spec.answers):
        rows *= 2
    choice = Choice.of(spec.engine, spec.precision)
    size = str(min(rows, spec.batch_size))
    return {"library": choice.library, "precision": choice.precision, "batch_size": size}


def _choice(choices: Mapping[str, str]) -> Choice:
    return Choice.of(choices["library"], choices["precision"])


def _computed(
    spec: GenerateTexts, context: JobContext, part: Part | None, choices: Mapping[str, str]
) -> _Work:
    prompts = Prompts(spec, context, part)
    work = _Work(spec, context, prompts, _choice(choices), int(choices["batch_size"]))
    work.run()
    return work


def _whole(
    spec: GenerateTexts,
    context: JobContext,
    shards: Sequence[Path],
    engine: str,
    seconds: float,
    tokens: int,
) -> Generated:
    finishes = tables.counts_of(shards, "finish")
    remarks = answers.remarks_in(shards)
    rows, unanswered = remarks.total(), finishes.pop(None, 0)
    if not finishes:
        raise Prompts(spec, context).no_text(unanswered)
    path = context.folder / f"answers.{spec.output}"
    tables.assemble(shards, path, answers.SCHEMA)
    context.save_artifact(path.name, path)
    return Generated(
        rows=rows,
        unanswered=unanswered,
        answers=finishes.total(),
        finishes={str(finish): count for finish, count in sorted(finishes.items()) if finish},
        remarks={str(remark): count for remark, count in sorted(remarks.items()) if remark},
        tokens=answers.tokens_in(shards),
        texts=answers.texts_in(shards, rows) if spec.texts else [],
        engine=engine,
        precision=engine.rpartition(" ")[2],
        seconds=seconds,
        tokens_per_second=tokens / max(seconds, 1e-9),
    )
