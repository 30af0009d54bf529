"""Measures how well a model tells the hidden words of a corpus, beside the simplest methods."""

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.corpora.named import corpus_of
from jobs.errors import BadInput
from jobs.pretrained.sources import checkpoint_of
from jobs.selfsupervised.text import scoring
from jobs.selfsupervised.text.asking import Asked, loaded
from jobs.selfsupervised.text.preparing import hidden_rows, read
from jobs.selfsupervised.text.spec import EvaluateText, TextScores, TrainText
from jobs.tokens.packing import packed
from jobs.tokens.splitting import HoldOut, split


def run(spec: EvaluateText, context: JobContext) -> TextScores:
    """Hides the same tokens whenever it is asked; counts of the simplest methods are of the other documents.

    Raises:
        BadInput: the model or the corpus cannot be loaded here, or there is too little text.
        Stopped: asked to stop.
    """
    name, share, seed, how = _asked(spec, context)
    corpus = corpus_of(name, context)
    parts = split(corpus, share, seed, how)
    folder = checkpoint_of(spec.model, spec.pretrained or "", context)
    reading = read(folder, spec.max_length)
    shards = packed(corpus, parts, reading.tokenizer, reading.ends.last, context)
    train = shards.stream(parts.train, context.folder / "train.tokens")
    held_out = shards.stream(parts.held_out, context.folder / "held-out.tokens")
    hidden = hidden_rows(held_out, reading.texts.max_length, reading, spec.masked, spec.rows)
    if not hidden.there.any():
        raise BadInput(f"{name!r} has no token to hide in the part that is looked at; give more text")
    context.report(Progress(0, 1, "the simplest methods"))
    vocabulary = len(reading.words.begins)
    simplest = scoring.baselines(train, vocabulary, hidden)
    context.report(Progress(0, 1, f"{len(hidden)} rows"))
    model = Asked(
        loaded(folder, spec.model or str(spec.pretrained)), spec.precision, reading.words.hidden_never
    )
    scores = scoring.scores_of(*model.scores(hidden), hidden, simplest)
    notes = [*corpus.notes, parts.note, scoring.warning_of(scores)]
    context.report(Progress(1, 1, f"perplexity {scores.perplexity:.1f}", {"perplexity": scores.perplexity}))
    return TextScores(
        documents=len(np.unique(parts.held_out)), scores=scores, notes=[note for note in notes if note]
    )


def _asked(spec: EvaluateText, context: JobContext) -> tuple[str, float, int, HoldOut]:
    """The corpus, and how a part of it is held out: as the training did, or a tenth."""
    if spec.dataset is not None:
        return spec.dataset, 0.1, spec.seed, "auto"
    trained = context.spec_of(str(spec.model))
    if not isinstance(trained, TrainText) or not trained.held_out:
        raise BadInput(f"job {spec.model} held nothing out: give a corpus with dataset=NAME")
    return trained.dataset, trained.held_out, trained.seed, trained.hold_out
