"""Measures a classifier on a labelled file."""

import json

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.texts import sets as text_sets
from jobs.datasets.texts.rows import Row
from jobs.errors import Stopped
from jobs.pretrained.tokens import Array
from jobs.transformer.asking import Classifier, classifier
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.windows import ahead, computed, windows
from jobs.transformer.judging.charts import confusion_matrix, reliability_diagram
from jobs.transformer.judging.scores import probabilities_of, reliability, scores_of
from jobs.transformer.labelled import Labelled, for_classes, of_file
from jobs.transformer.uses import EvaluateClassifier, TextEvaluation


def run(spec: EvaluateClassifier, context: JobContext) -> TextEvaluation:
    """Saves `evaluation.json`, `confusion.png` and `calibration.png`.

    Raises:
        BadInput: the model has no head, or the file no rows that it can be measured on.
        Stopped: asked to stop; it begins anew then, as nothing takes long.
    """
    model = classifier(spec, Choice.of(precision=spec.precision), context)
    class_names = model.names
    name = spec.dataset or ""
    path = text_sets.file_of(name, context)
    labelled = of_file(path, name, spec.text_column, spec.label_column, spec.unlabelled)
    data = for_classes(labelled, name, spec.unknown, class_names)
    logits = _logits(spec, model, data, context)
    scores = scores_of(logits, data.labels, class_names)
    result = TextEvaluation(scores=scores, left_out=dict(data.left_out), notes=list(data.notes))
    matrix = confusion_matrix(np.array(scores.confusion), class_names, f"{scores.rows:,} texts of {name}")
    diagram = reliability_diagram(*reliability(probabilities_of(logits), data.labels))
    context.save_artifact("confusion.png", matrix)
    context.save_artifact("calibration.png", diagram)
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    return result


def _logits(spec: EvaluateClassifier, model: Classifier, data: Labelled, context: JobContext) -> Array:
    """Of all texts, float32 (texts, classes)."""
    total, reason = len(data.texts), None

    def go_on(done: int) -> bool:
        nonlocal reason
        context.report(Progress(done, total, f"text {done:,}/{total:,}"))
        reason = context.should_stop() if done < total else None
        return reason is None

    found = ahead(windows(map(Row, data.texts), model.tokenizer, spec.batch_size))
    logits = [part for _, part in computed(model.engine, found, len(data.class_names), go_on)]
    if reason is not None:
        raise Stopped(f"stopped before the last of {total} texts: {reason}")
    return np.concatenate(logits)
