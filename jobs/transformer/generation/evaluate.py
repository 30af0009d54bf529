"""Measures how well a model tells a text, or which answer is right, beside the simplest methods."""

import json

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.corpora.corpus import characters_in
from jobs.datasets.corpora.named import corpus_of
from jobs.datasets.texts import sets as text_sets
from jobs.errors import BadInput
from jobs.tokens.packing import packed
from jobs.tokens.splitting import split
from jobs.tokens.tokenizer import TextTokenizer
from jobs.transformer.generation import choices
from jobs.transformer.generation.held import Told, told
from jobs.transformer.generation.preparing import check_length
from jobs.transformer.generation.rows import Rows
from jobs.transformer.generation.scoring import text_loss
from jobs.transformer.generation.spec import EvaluateGeneration, GenerationScores

#: Tokens that the model looks at, unless the spec says otherwise or it reads fewer.
USUAL_LENGTH = 256


def run(spec: EvaluateGeneration, context: JobContext) -> GenerationScores:
    """Saves `evaluation.json`, and `choices.csv` of questions.

    Raises:
        BadInput: the model, the text or the questions cannot be loaded or used; the text says why.
        Stopped: asked to stop; it begins anew then, but for the tokens, which are kept.
    """
    model = told(spec, context, spec.precision)
    length = spec.max_length or min(USUAL_LENGTH, model.layout.positions)
    check_length(length, model.layout.positions)
    measure = _of_text if spec.questions is None else _of_choices
    result = measure(spec, model, length, context)
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    return result


def _of_text(spec: EvaluateGeneration, model: Told, length: int, context: JobContext) -> GenerationScores:
    corpus = corpus_of(str(spec.dataset), context)
    parts = split(corpus, spec.held_out, spec.seed, spec.hold_out)
    tokenizer = TextTokenizer(model.texts.content)
    shards = packed(corpus, parts, tokenizer, model.texts.end if model.texts.ends else None, context)
    train = shards.stream(parts.train, context.folder / "train.tokens").tokens
    watched = shards.stream(parts.held_out, context.folder / "held-out.tokens").tokens
    first, last = (parts.offsets[parts.held_out + more] for more in (0, 1))
    size = int((last - first).sum())
    text = zip(first.tolist(), last.tolist(), strict=True)
    characters = sum(characters_in(corpus.text[begin:end]) for begin, end in text)
    rows, notes = Rows.overlapping(watched, length), [parts.note]
    if not len(rows):
        raise BadInput(
            f"{len(watched)} tokens of {spec.dataset!r} are looked at, too few to tell one by another"
        )
    if len(rows) > spec.rows:
        notes.append(f"the model told {spec.rows} of {len(rows)} rows, from all over the text")
        chosen = np.unique(np.linspace(0, len(rows) - 1, spec.rows).round().astype(np.int64))
        rows = Rows(rows.tokens[chosen], rows.first[chosen], rows.end[chosen])
    context.report(Progress(0, 1, f"{rows.told():,} tokens"))
    loss = model.teller.mean(rows)
    return GenerationScores(
        held_out=text_loss(loss, rows.told(), train, watched, model.layout.vocabulary, size),
        characters=characters,
        nats_per_character=loss * len(watched) / max(1, characters),
        notes=notes,
    )


def _of_choices(spec: EvaluateGeneration, model: Told, length: int, context: JobContext) -> GenerationScores:
    name, chats = str(spec.questions), spec.chat != "never" and model.texts.chats
    if spec.chat == "always" and not chats:
        raise BadInput("chat is 'always', and the tokenizer has no template for chats; leave 'chat' at auto")
    columns = (spec.prompt_column, spec.answer_column, *spec.choice_columns)
    read = choices.reader(model.texts, chats)
    path = text_sets.file_of(name, context)
    questions, left_out = choices.questions_in(path, name, columns, read, length)
    context.report(Progress(0, 1, f"{len(questions):,} questions"))
    scores, nats = choices.scores_of(questions, model.teller, model.layout.vocabulary)
    context.save_artifact("choices.csv", choices.table(questions, nats))
    how = "through the chat's template" if chats else "as they are, a space before each choice"
    return GenerationScores(
        held_out=None,
        characters=0,
        nats_per_character=None,
        choices=scores,
        left_out=left_out,
        notes=[f"prompts were put {how}"],
    )
