"""Trains an encoder to fill in masked words, and leaves it as a Hugging Face checkpoint."""

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.pictures import curves
from jobs.pretrained.files import TOKENIZER
from jobs.pretrained.masked import Masked, export, load
from jobs.pretrained.sources import MODEL
from jobs.selfsupervised.text import scoring, sentences
from jobs.selfsupervised.text.card import card_of
from jobs.selfsupervised.text.learner import MaskedLanguage
from jobs.selfsupervised.text.preparing import Prepared, hidden_rows, prepare, width_of
from jobs.selfsupervised.text.spec import MaskedScores, TextTraining, TrainText
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.pace import Pace
from jobs.training.state import restore

#: Rows of the held-out part that are looked at after each epoch, and at the end.
EACH, LAST = 128, 2048
JUDGED = ("validation_loss", "perplexity", "validation_accuracy")


def run(spec: TrainText, context: JobContext) -> TextTraining:
    """Trains, and saves `model/` (a Hugging Face folder), `metrics.json`, curves and filled sentences.

    Raises:
        BadInput: the corpus or the checkpoint cannot be loaded, or is not fit for it; the text says why.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    start = Start.of(context, spec)
    prepared = prepare(spec, context)
    loaded = load(prepared.reading.folder, spec.seed)
    rows = prepared.train.rows(width_of(spec.max_length))
    batch_size = min(spec.batch_size, len(rows))
    passes = start.passes(len(rows), batch_size)
    reading = prepared.reading
    _check_rows(loaded, spec)
    model = MaskedLanguage(spec, loaded, reading.words, reading.ends, spec.epochs * passes.steps)
    watched = hidden_rows(prepared.held_out, spec.max_length, reading, spec.masked, EACH)
    looks = bool(watched.there.any())
    shown = sentences.of_texts(spec.sentences, reading) or sentences.of_held_out(watched, reading)

    def judge(epoch: int, step: int) -> Mapping[str, float] | None:
        if shown:
            lines = sentences.filled(shown, model.asked, reading)
            context.save_sample(step, sentences.picture(shown, lines, f"epoch {epoch}"))
        if not looks:
            return None
        found = scoring.scores_of(*model.asked.scores(watched), watched, (math.nan, math.nan))
        return dict(zip(JUDGED, (found.loss, found.perplexity, found.accuracy), strict=True))

    trained = train(
        model,
        {"tokens": rows},
        spec,
        context,
        epochs=spec.epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,
        pace=Pace(steps=1, seconds=0),
        at_epoch_end=judge,
        judged=JUDGED if looks else (),
        best=Best("validation_loss", "min") if looks else None,
        start=start,
    )
    if trained.best is not None:
        restore(model, trained.best)
    scores = _scores(spec, prepared, model) if looks else None
    result = _result(spec, prepared, model, trained, scores, batch_size)
    _leave(spec, prepared, model, trained, result, shown, context)
    return result


def _check_rows(loaded: Masked, spec: TrainText) -> None:
    most = int(loaded.backbone.max_sequence_length)
    if spec.max_length > most:
        raise BadInput(f"max_length is {spec.max_length}, and the model reads {most} tokens at most")


def _scores(spec: TrainText, prepared: Prepared, model: MaskedLanguage) -> MaskedScores:
    hidden = hidden_rows(prepared.held_out, spec.max_length, prepared.reading, spec.masked, LAST)
    vocabulary = len(prepared.reading.words.begins)
    simplest = scoring.baselines(prepared.train, vocabulary, hidden)
    return scoring.scores_of(*model.asked.scores(hidden), hidden, simplest)


def _result(
    spec: TrainText,
    prepared: Prepared,
    model: MaskedLanguage,
    trained: Trained,
    scores: MaskedScores | None,
    batch_size: int,
) -> TextTraining:
    width = width_of(spec.max_length)
    warning = scoring.warning_of(scores) if scores else ""
    weights = (*model.masked.encoder_variables(), *model.head.trainable_variables)
    epochs = math.ceil(trained.steps / trained.passes.steps)
    notes = [
        *prepared.corpus.notes,
        prepared.parts.note,
        "the head for masked words is new" if not model.masked.has_head else "",
        warning,
    ]
    return TextTraining(
        documents={"train": len(prepared.parts.train), "held_out": len(prepared.parts.held_out)},
        tokens={
            "train": len(prepared.train),
            "held_out": len(prepared.held_out),
            "cut": len(prepared.train) % width,
            "unknown": prepared.shards.unknown,
        },
        vocabulary=len(prepared.reading.words.begins),
        parameters=sum(math.prod(weight.shape) for weight in weights),
        notes=[note for note in notes if note],
        steps=trained.steps,
        epochs=epochs,
        best_epoch=trained.best_step // trained.passes.steps if trained.best_step else None,
        loss=float(trained.history["loss"][epochs - 1]),
        held_out=scores,
        seconds=trained.seconds,
        tokens_per_second=trained.steps_per_second * batch_size * width,
        precision=model.precision,
        state_sha256=trained.state_sha256,
    )


def _leave(
    spec: TrainText,
    prepared: Prepared,
    model: MaskedLanguage,
    trained: Trained,
    result: TextTraining,
    shown: Sequence[sentences.Sentence],
    context: JobContext,
) -> None:
    folder = context.folder / MODEL
    export(model.masked, prepared.reading.folder, folder, card_of(spec, result))
    if not (folder / TOKENIZER).is_file():
        prepared.reading.texts.save(folder)
    for path in sorted(folder.iterdir()):
        context.save_artifact(f"{MODEL}/{path.name}", path)
    losses = {"training": trained.history["loss"][: result.epochs]}
    if (validation := trained.judged.get("validation_loss")) is not None:
        losses["held out"] = validation[: result.epochs]
        for name, value in (("unigram", "unigram"), ("5-gram filler", "five_gram")):
            level = math.log(getattr(result.held_out, value)) if result.held_out else math.nan
            losses[name] = np.full(result.epochs, level, np.float32)
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label="cross-entropy, nats"))
    if shown:
        lines = sentences.filled(shown, model.asked, prepared.reading)
        context.save_artifact(
            "sentences.png", sentences.picture(shown, lines, "with the weights that were kept")
        )
    context.save_artifact("metrics.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
