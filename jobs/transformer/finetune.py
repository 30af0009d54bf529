"""Fine-tunes a classifier, and leaves it as a Hugging Face checkpoint, with figures and pictures."""

import math
from collections.abc import Mapping

import numpy as np

from jobs.context import JobContext
from jobs.datasets.texts import sets as text_sets
from jobs.errors import BadInput
from jobs.pictures import curves
from jobs.pretrained.models import load
from jobs.pretrained.sources import checkpoint_of
from jobs.pretrained.tokens import Array, Tokenizer
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.pace import Pace
from jobs.training.state import restore
from jobs.transformer.encoder.lengths import ByLength
from jobs.transformer.finetuning import FineTuning, class_weights
from jobs.transformer.judging.charts import confusion_matrix, reliability_diagram
from jobs.transformer.judging.scores import probabilities_of, reliability, scores_of
from jobs.transformer.judging.splits import Parts, drawn, split
from jobs.transformer.labelled import Labelled, of_file, of_texts
from jobs.transformer.leaving import leave_model
from jobs.transformer.spec import DEFAULT_PRETRAINED, FineTune, FineTuneResult, Scores
from jobs.transformer.tuning.tuner import rows_of_a_step

#: What `metric` in the spec is among the judgements of an epoch, and which direction is better.
BEST = {
    "macro_f1": Best("macro_f1", "max"),
    "accuracy": Best("validation_accuracy", "max"),
    "validation_loss": Best("validation_loss", "min"),
}
JUDGED = ("validation_loss", "validation_accuracy", "macro_f1")


def run(spec: FineTune, context: JobContext) -> FineTuneResult:
    """Trains, and saves `model/` (a Hugging Face folder), `classifier.keras`, `metrics.json` and charts.

    Raises:
        BadInput: the checkpoint or the texts cannot be loaded, or are not fit for it; the text says why.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    folder = checkpoint_of(spec.model, spec.pretrained or DEFAULT_PRETRAINED, context)
    start = Start.of(context, spec)
    tokenizer = Tokenizer(folder, spec.max_length, as_before=start.rules < 2)
    data = texts_of(spec, context)
    parts = split(data.labels, spec.seed, spec.validation, spec.test, len(data.class_names))
    loaded = load(folder, len(data.class_names), spec.seed, as_before=start.rules < 2)
    tokens, lengths = tokenizer.cached(data.texts, data.digest, context)
    starts = (np.cumsum(lengths, dtype=np.int64) - lengths).astype(np.int32)
    batch_size = rows_of_a_step(spec.batch_size, spec.accumulate, len(parts.train), as_before=start.rules < 2)
    passes = start.passes(len(parts.train), batch_size)
    weights = class_weights(spec.class_weights, data.labels[parts.train], len(data.class_names))
    model = FineTuning(
        spec,
        loaded,
        tokens,
        tokenizer.pad,
        weights,
        spec.epochs * passes.steps,
        positions=tokenizer.positions,
        by_batch=start.rules < 2,
    )

    def scores(rows: Array) -> tuple[Scores, Array]:
        logits = model.predicted(starts[rows], lengths[rows], batch_size)
        return scores_of(logits, data.labels[rows], data.class_names), logits

    def judge(epoch: int, step: int) -> Mapping[str, float] | None:
        if not len(parts.validation):
            return None
        found, _ = scores(parts.validation)
        confusion = np.array(found.confusion)
        context.save_sample(step, confusion_matrix(confusion, data.class_names, f"epoch {epoch}, validation"))
        return dict(zip(JUDGED, (found.loss, found.accuracy, found.macro_f1), strict=True))

    trained = train(
        model,
        {"starts": starts[parts.train], "lengths": lengths[parts.train], "labels": data.labels[parts.train]},
        spec,
        context,
        epochs=spec.epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,
        pace=Pace(steps=1, seconds=0),
        at_epoch_end=judge,
        judged=JUDGED if len(parts.validation) else (),
        best=BEST[spec.metric] if len(parts.validation) else None,
        patience=spec.patience if len(parts.validation) else None,
        order=ByLength(lengths[parts.train], passes),
        start=start,
    )
    if trained.best is not None:
        restore(model, trained.best)
    validation = scores(parts.validation)[0] if len(parts.validation) else None
    test = None
    if len(parts.test):
        test, logits = scores(parts.test)
        _draw_test(test, logits, data, parts, context)
    elif validation:
        _draw_confusion(validation, data, context)
    epochs = math.ceil(trained.steps / passes.steps)
    result = FineTuneResult(
        class_names=list(data.class_names),
        rows={part: len(getattr(parts, part)) for part in ("train", "validation", "test")},
        left_out=dict(data.left_out),
        notes=list(data.notes),
        steps=trained.steps,
        epochs=epochs,
        best_epoch=trained.best_step // passes.steps if trained.best_step else None,
        loss=float(trained.history["loss"][epochs - 1]),
        validation=validation,
        test=test,
        seconds=trained.seconds,
        examples_per_second=trained.steps_per_second * batch_size,
        precision=model.precision,
        rows_repeated=passes.repeated,
        rows_left_out=passes.left_out,
        state_sha256=trained.state_sha256,
    )
    _draw_curves(trained, epochs, context)
    leave_model(model, spec, folder, tokenizer, data, result, context)
    return result


def texts_of(spec: FineTune, context: JobContext) -> Labelled:
    """The texts to work with: those of the spec, or the rows drawn from its data set.

    Raises:
        BadInput: they cannot be loaded, are of one class, or fewer than asked for.
    """
    if spec.texts:
        found = of_texts(spec.texts, spec.labels)
    else:
        path = text_sets.file_of(spec.source, context)
        found = of_file(path, spec.source, spec.text_column, spec.label_column, spec.unlabelled)
    if len(found.class_names) < 2:
        raise BadInput(
            f"all {len(found.texts)} rows of {spec.source!r} are of the class {found.class_names[0]!r}, so "
            "there is nothing to tell apart; add rows of another class, or name another 'label_column'"
        )
    rows = drawn(found.labels, spec.seed, spec.rows, spec.balanced, found.class_names)
    chosen = Labelled(
        [found.texts[row] for row in rows], found.labels[rows], found.class_names, found.left_out, found.notes
    )
    if len(missing := set(range(len(found.class_names))) - set(chosen.labels.tolist())):
        names = ", ".join(found.class_names[number] for number in sorted(missing))
        raise BadInput(
            f"of the {len(rows)} rows that were drawn none is of the class {names}; raise 'rows', or draw as "
            "many of each class with balanced=true"
        )
    return chosen


def _draw_test(test: Scores, logits: Array, data: Labelled, parts: Parts, context: JobContext) -> None:
    labels = data.labels[parts.test]
    diagram = reliability_diagram(*reliability(probabilities_of(logits), labels))
    context.save_artifact("calibration.png", diagram)
    _draw_confusion(test, data, context)


def _draw_confusion(scores: Scores, data: Labelled, context: JobContext) -> None:
    picture = confusion_matrix(
        np.array(scores.confusion), data.class_names, f"{scores.rows:,} texts not trained on"
    )
    context.save_artifact("confusion.png", picture)


def _draw_curves(trained: Trained, epochs: int, context: JobContext) -> None:
    losses = {"training": trained.history["loss"][:epochs]}
    if (validation := trained.judged.get("validation_loss")) is not None:
        losses["validation"] = validation[:epochs]
        right = {
            "training": trained.history["accuracy"][:epochs],
            "validation": trained.judged["validation_accuracy"][:epochs],
            "macro F1, validation": trained.judged["macro_f1"][:epochs],
        }
        context.save_artifact("accuracy.png", curves(right, x_label="epoch", y_label="share of the texts"))
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label="cross-entropy, nats"))
