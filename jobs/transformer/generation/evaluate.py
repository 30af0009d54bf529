"""Measures how well a model tells what comes next in a text, beside a unigram and a 5-gram."""

import json

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.corpora.corpus import characters_in
from jobs.datasets.corpora.named import corpus_of
from jobs.errors import BadInput
from jobs.tokens.packing import packed
from jobs.tokens.splitting import split
from jobs.tokens.tokenizer import TextTokenizer
from jobs.transformer.generation.held import told
from jobs.transformer.generation.rows import Rows
from jobs.transformer.generation.scoring import text_loss
from jobs.transformer.generation.spec import EvaluateGeneration, GenerationScores


def run(spec: EvaluateGeneration, context: JobContext) -> GenerationScores:
    """Saves `evaluation.json`.

    Raises:
        BadInput: the model or the text cannot be loaded or used; the text says why.
        Stopped: asked to stop; it begins anew then, but for the tokens, which are kept.
    """
    model = told(spec, context)
    if spec.max_length > model.layout.positions:
        raise BadInput(
            f"max_length is {spec.max_length}, and the model reads {model.layout.positions} tokens"
        )
    corpus = corpus_of(spec.dataset, context)
    parts = split(corpus, spec.held_out, spec.seed, spec.hold_out)
    tokenizer = TextTokenizer(model.texts.content)
    shards = packed(corpus, parts, tokenizer, model.texts.end if model.texts.ends else None, context)
    train = shards.stream(parts.train, context.folder / "train.tokens").tokens
    watched = shards.stream(parts.held_out, context.folder / "held-out.tokens").tokens
    first, last = (parts.offsets[parts.held_out + more] for more in (0, 1))
    size = int((last - first).sum())
    text = zip(first.tolist(), last.tolist(), strict=True)
    characters = sum(characters_in(corpus.text[begin:end]) for begin, end in text)
    rows, notes = Rows.overlapping(watched, spec.max_length), [parts.note]
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
    scores = text_loss(loss, rows.told(), train, watched, model.layout.vocabulary, size)
    result = GenerationScores(
        held_out=scores,
        characters=characters,
        nats_per_character=loss * len(watched) / max(1, characters),
        notes=notes,
    )
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    return result
