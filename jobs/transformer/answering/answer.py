"""Answers every question from its document, and writes a table of the answers."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jobs.context import JobContext
from jobs.dividing.parts import Cuts, Part, PartResult, Piece, together
from jobs.errors import BadInput
from jobs.transformer.answering.asking.answerer import answerer, folder_of
from jobs.transformer.answering.asking.asked import Questions, cuts_of
from jobs.transformer.answering.asking.blocks import Block, answered
from jobs.transformer.answering.asking.showing import shown
from jobs.transformer.answering.asking.table import SCHEMA, AnswerShard, answers_in, missing
from jobs.transformer.answering.documents.reading import Reading
from jobs.transformer.answering.documents.spans import Span
from jobs.transformer.answering.uses import AnswerQuestions, Answers
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.shards import Bulk
from jobs.transformer.bulk.tables import assemble, counts_of


def run(spec: AnswerQuestions, context: JobContext) -> Answers:
    """Saves `answers.parquet`, or `answers.csv` (its columns: `asking.table.SCHEMA`), and `answers.png`.

    It goes on from the blocks of questions whose result an earlier attempt has saved.

    Raises:
        BadInput: the model or the questions cannot be loaded or used, or there is none; the text says why.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began = time.monotonic()
    choice = Choice.of(spec.engine, spec.precision)
    bulk = _computed(spec, context, Questions(spec, context), choice)
    seconds = time.monotonic() - began
    return _whole(spec, context, bulk.shards, str(choice), seconds, bulk.rows_per_second)


def cuts(spec: AnswerQuestions, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between blocks, all parts with the engine that is best here."""
    return cuts_of(spec, context, Choice.of(spec.engine, spec.precision))


def compute(spec: AnswerQuestions, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the table."""
    began = time.monotonic()
    choice = Choice.of(**part.choices)
    bulk = _computed(spec, context, Questions(spec, context, part), choice)
    return bulk.part_result(engine=str(choice), seconds=time.monotonic() - began)


def join(spec: AnswerQuestions, context: JobContext, pieces: Sequence[Piece]) -> Answers:
    """See `jobs.dividing.parts`: the table of all shards."""
    shards = [path for piece in pieces for path in piece.shards]
    seconds = sum(float(piece.facts["seconds"]) for piece in pieces)
    rate = pieces[-1].part.end / max(seconds, 1e-9)
    return _whole(spec, context, shards, together(pieces, "engine"), seconds, rate)


def _computed(spec: AnswerQuestions, context: JobContext, questions: Questions, choice: Choice) -> Bulk:
    model = answerer(spec, choice, context)
    first, end = questions.first, questions.end
    bulk = Bulk(spec, context, choice, first, end, ".parquet", spec.checkpoint_seconds)
    bulk.resume()

    def compute(first: int, go_on: Callable[[int], bool]) -> Iterator[tuple[Block, list[list[Span]]]]:
        return answered(model, questions, spec.batch_size, spec.n_best, first, go_on)

    bulk.run(compute, lambda path: AnswerShard(path, model.reading.threshold))
    return bulk


def _whole(
    spec: AnswerQuestions,
    context: JobContext,
    shards: Sequence[Path],
    engine: str,
    seconds: float,
    rate: float,
) -> Answers:
    remarks = counts_of(shards, "remark")
    rows, without, unanswered = remarks.total(), missing(shards, "score"), missing(shards, "start")
    if rows == without:
        raise BadInput(
            f"none of the {rows} rows has a question and a document with text; give questions and documents "
            "with at least one word each"
        )
    path = context.folder / f"answers.{spec.output}"
    assemble(shards, path, SCHEMA)
    context.save_artifact(path.name, path)
    context.save_artifact("answers.png", shown(shards, Questions(spec, context)))
    return Answers(
        questions=rows,
        answered=rows - unanswered,
        unanswered=unanswered - without,
        without_text=without,
        remarks={str(remark): count for remark, count in sorted(remarks.items()) if remark},
        answers=answers_in(shards) if spec.texts else [],
        threshold=Reading.of(spec, folder_of(spec, context)).threshold,
        engine=engine,
        seconds=seconds,
        questions_per_second=rate,
    )
