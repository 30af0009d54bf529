"""How good a classifier is, from its logits and the classes of the texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jobs.transformer.judging.figures import ClassMetrics, Scores

Array = np.ndarray[Any, Any]

#: Bins of equal width that predicted probabilities are sorted into (Guo et al. 2017).
BINS = 15


def probabilities_of(logits: Array) -> Array:
    """The softmax of each row, float64 (texts, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    shares: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def loss_of(logits: Array, labels: Array) -> float:
    """Mean cross-entropy, in nats.

    Args:
        logits: float32 (texts, classes).
        labels: int32 (texts,).
    """
    wide = logits.astype(np.float64)
    highest = wide.max(axis=1)
    normalisers = highest + np.log(np.exp(wide - highest[:, np.newaxis]).sum(axis=1))
    return float((normalisers - wide[np.arange(len(labels)), labels]).mean())


def confusion_of(predicted: Array, labels: Array, classes: int) -> Array:
    """Texts by class (row) and predicted class (column), int64 (classes, classes)."""
    counts: Array = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def calibration_error(probabilities: Array, labels: Array) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, mean over the texts.

    Equation 3 of Guo et al. 2017, On Calibration of Modern Neural Networks.

    Args:
        probabilities: (texts, classes).
        labels: int32 (texts,).
    """
    shares, confidences, accuracies = reliability(probabilities, labels)
    return float(np.abs(shares * (confidences - accuracies)).sum())


def reliability(probabilities: Array, labels: Array) -> tuple[Array, Array, Array]:
    """By bin of confidence: share of the texts, mean confidence, accuracy; (BINS,), 0 in an empty bin."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # The bins are open below and closed above, as in the paper.
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    some = np.maximum(counts, 1)
    confidences = np.bincount(bins, weights=confidence, minlength=BINS) / some
    accuracies = np.bincount(bins, weights=right, minlength=BINS) / some
    return counts / len(labels), confidences, accuracies


def scores_of(logits: Array, labels: Array, class_names: Sequence[str]) -> Scores:
    """All figures at once.

    Args:
        logits: float32 (texts, classes).
        labels: int32 (texts,).
        class_names: by number.
    """
    confusion = confusion_of(logits.argmax(axis=1), labels, len(class_names))
    called, are, right = confusion.sum(axis=0), confusion.sum(axis=1), np.diag(confusion)
    # A class that nothing is called has a precision of 0, one that no text has a recall of 0.
    precision = right / np.maximum(called, 1)
    recall = right / np.maximum(are, 1)
    f1 = 2 * right / np.maximum(called + are, 1)
    there = called + are > 0  # a class that is only predicted counts, with 0
    classes = {
        name: ClassMetrics(
            precision=float(precision[number]),
            recall=float(recall[number]),
            f1=float(f1[number]),
            count=int(are[number]),
        )
        for number, name in enumerate(class_names)
    }
    return Scores(
        rows=len(labels),
        loss=loss_of(logits, labels),
        accuracy=float(right.sum() / len(labels)),
        macro_f1=float(f1[there].mean()),
        calibration_error=calibration_error(probabilities_of(logits), labels),
        classes=classes,
        confusion=confusion.tolist(),
    )
