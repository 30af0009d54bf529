"""Trains a model that finds answers; leaves it as a Hugging Face checkpoint, with figures and pictures."""

import math
from collections.abc import Mapping

import numpy as np

from jobs.context import JobContext
from jobs.datasets.questions.loading import question_set
from jobs.errors import BadInput
from jobs.pictures import curves
from jobs.pretrained.pairs import Pairs
from jobs.pretrained.sources import checkpoint_of
from jobs.pretrained.spans import load_spans
from jobs.pretrained.tokens import Array
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.pace import Pace
from jobs.training.state import restore
from jobs.transformer.answering.documents.examples import Examples
from jobs.transformer.answering.documents.reading import Reading
from jobs.transformer.answering.documents.spans import Span
from jobs.transformer.answering.documents.splitting import drawn, split
from jobs.transformer.answering.drawing import chosen, picture
from jobs.transformer.answering.learning import SpanTuning, data_of, loss_of
from jobs.transformer.answering.leaving import leave_model
from jobs.transformer.answering.scoring.figures import AnswerScores
from jobs.transformer.answering.scoring.judging import answered, spans_of, threshold_for
from jobs.transformer.answering.scoring.measures import best
from jobs.transformer.answering.scoring.scores import figures_of, scores_of
from jobs.transformer.answering.spec import DEFAULT_PRETRAINED, TrainAnswering, TrainingOfAnswers
from jobs.transformer.encoder.lengths import ByLength
from jobs.transformer.tuning.tuner import rows_of_a_step

#: What `metric` in the spec is among the judgements of an epoch, and which direction is better.
BEST = {
    "f1": Best("f1", "max"),
    "exact_match": Best("exact_match", "max"),
    "validation_loss": Best("validation_loss", "min"),
}
JUDGED = ("validation_loss", "exact_match", "f1")


def run(spec: TrainAnswering, context: JobContext) -> TrainingOfAnswers:
    """Trains, and saves `model/` (a Hugging Face folder), `metrics.json` and pictures.

    Raises:
        BadInput: the checkpoint or the questions cannot be loaded, or are not fit for it; the text says why.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    folder = checkpoint_of(spec.model, spec.pretrained or DEFAULT_PRETRAINED, context)
    start = Start.of(context, spec)
    pairs = Pairs(folder, spec.max_length)
    layout = Reading.of_training(spec, None).layout
    data = question_set(spec.dataset, context)
    parts = split(data, drawn(data, spec.seed, spec.rows), spec.seed, spec.validation, spec.test)
    training, validation, test = (
        Examples.of(data, numbers, pairs, layout) for numbers in (parts.train, parts.validation, parts.test)
    )
    _check(training, spec)
    loaded = load_spans(folder, spec.seed)
    batch_size = rows_of_a_step(spec.batch_size, spec.accumulate, len(training.rows))
    passes = start.passes(len(training.rows), batch_size)
    model = SpanTuning(spec, loaded, training.rows, spec.epochs * passes.steps)

    def spans(examples: Examples) -> tuple[list[Array], list[list[Span]]]:
        logits = model.predicted(examples.rows, batch_size)
        return logits, spans_of(examples, logits, spec.max_answer)

    def judge(epoch: int, step: int) -> Mapping[str, float] | None:
        if not validation.questions:
            return None
        logits, found = spans(validation)
        told = answered(validation, found, threshold_for(validation, found))
        figures = figures_of(best(each.answer, each.rights) for each in told)
        shown = chosen(len(told))
        title = f"epoch {epoch}, validation: exact match {figures.exact_match:.1f} %, F1 {figures.f1:.1f} %"
        context.save_sample(step, picture([told[n] for n in shown], [found[n] for n in shown], title))
        loss = loss_of(logits, validation.begins, validation.ends)
        return dict(zip(JUDGED, (loss, figures.exact_match, figures.f1), strict=True))

    judges = bool(validation.questions)
    trained = train(
        model,
        data_of(training.rows, training.begins, training.ends),
        spec,
        context,
        epochs=spec.epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,
        pace=Pace(steps=1, seconds=0),
        at_epoch_end=judge,
        judged=JUDGED if judges else (),
        best=BEST[spec.metric] if judges else None,
        patience=spec.patience if judges else None,
        order=ByLength(training.rows.lengths, passes),
        start=start,
    )
    if trained.best is not None:
        restore(model, trained.best)
    threshold, scores = None, {}
    for name, examples in (("validation", validation), ("test", test)):
        if examples.questions:
            _, found = spans(examples)
            threshold = threshold_for(examples, found) if name == "validation" else threshold
            scores[name] = _scored(examples, found, threshold, name, context)
    epochs = math.ceil(trained.steps / passes.steps)
    used = {"train": training, "validation": validation, "test": test}
    result = TrainingOfAnswers(
        questions={name: len(part.questions) for name, part in used.items()},
        documents={name: len(set(part.on)) for name, part in used.items()},
        windows=len(training.rows),
        left_out=_left_out(*used.values()),
        steps=trained.steps,
        epochs=epochs,
        best_epoch=trained.best_step // passes.steps if trained.best_step else None,
        loss=float(trained.history["loss"][epochs - 1]),
        threshold=threshold,
        validation=scores.get("validation"),
        test=scores.get("test"),
        seconds=trained.seconds,
        windows_per_second=trained.steps_per_second * batch_size,
        precision=model.precision,
        rows_repeated=passes.repeated,
        state_sha256=trained.state_sha256,
    )
    _draw_curves(trained, epochs, context)
    leave_model(loaded, spec, folder, pairs, result, context)
    return result


def _check(training: Examples, spec: TrainAnswering) -> None:
    if not training.questions:
        why = "; ".join(f"{count} for {reason}" for reason, count in training.left_out.items())
        raise BadInput(f"{spec.dataset!r} has no question to learn from: {why}")
    if not training.begins.any():
        raise BadInput(
            f"no question of {spec.dataset!r} that is trained on has an answer in a window of its document, "
            "so there is nothing to find; give questions with answers, or a larger max_length"
        )


def _scored(
    examples: Examples,
    found: list[list[Span]],
    threshold: float | None,
    name: str,
    context: JobContext,
) -> AnswerScores:
    told = answered(examples, found, threshold)
    scores = scores_of(told)
    shown = chosen(len(told))
    title = f"{len(told):,} questions of the {name} part: F1 {scores.all.f1:.1f} %"
    context.save_artifact("answers.png", picture([told[n] for n in shown], [found[n] for n in shown], title))
    return scores


def _left_out(*parts: Examples) -> dict[str, int]:
    reasons = sorted({reason for part in parts for reason in part.left_out})
    return {reason: sum(part.left_out.get(reason, 0) for part in parts) for reason in reasons}


def _draw_curves(trained: Trained, epochs: int, context: JobContext) -> None:
    losses = {"training": trained.history["loss"][:epochs]}
    if (validation := trained.judged.get("validation_loss")) is not None:
        losses["validation"] = validation[:epochs]
        right = {name: np.asarray(trained.judged[name][:epochs]) for name in ("exact_match", "f1")}
        context.save_artifact("answers_by_epoch.png", curves(right, x_label="epoch", y_label="per cent"))
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label="cross-entropy, nats"))
