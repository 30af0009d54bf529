import numpy as np
import pytest

from jobs.transformer.judging.charts import confusion_matrix, reliability_diagram
from jobs.transformer.judging.scores import BINS, calibration_error, probabilities_of, reliability, scores_of

metrics = pytest.importorskip("sklearn.metrics")
NAMES = ("a", "b", "c", "d")


def _drawn(rows=200, classes=4):
    draws = np.random.default_rng(0)
    labels = draws.integers(0, classes - 1, rows).astype(np.int32)  # the last class has no text
    logits = draws.standard_normal((rows, classes)).astype(np.float32)
    logits[np.arange(rows), labels] += 1.0
    return logits, labels


def test_every_figure_is_that_of_scikit_learn():
    logits, labels = _drawn()
    found = scores_of(logits, labels, NAMES)
    predicted = logits.argmax(axis=1)

    assert found.rows == 200
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert found.loss == pytest.approx(
        metrics.log_loss(labels, probabilities_of(logits), labels=range(4)), abs=1e-9
    )
    assert found.confusion == metrics.confusion_matrix(labels, predicted, labels=range(4)).tolist()
    precision, recall, f1, counts = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(4), zero_division=0
    )
    for number, name in enumerate(NAMES):
        of_class = found.classes[name]
        assert (of_class.precision, of_class.recall, of_class.f1, of_class.count) == pytest.approx(
            (precision[number], recall[number], f1[number], counts[number])
        )


def test_the_calibration_error_is_that_of_a_loop_over_bins():
    logits, labels = _drawn()
    shares = probabilities_of(logits)
    total = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = [row for row in range(len(labels)) if low < shares[row].max() <= high]
        if inside:
            confidence = np.mean([shares[row].max() for row in inside])
            accuracy = np.mean([shares[row].argmax() == labels[row] for row in inside])
            total += len(inside) / len(labels) * abs(confidence - accuracy)

    assert calibration_error(shares, labels) == pytest.approx(total)
    assert reliability(shares, labels)[0].sum() == pytest.approx(1)


def test_a_model_that_is_always_right_and_sure_has_no_error():
    logits = np.where(np.eye(3, dtype=bool), 1000.0, -1000.0).astype(np.float32)
    found = scores_of(logits, np.arange(3, dtype=np.int32), NAMES[:3])
    assert (found.loss, found.accuracy, found.macro_f1, found.calibration_error) == (0, 1, 1, 0)


def test_charts_are_png_files_even_for_many_classes():
    names = [f"a class with a long name {number}" for number in range(30)]
    assert confusion_matrix(np.eye(30, dtype=np.int64), names)[:4] == b"\x89PNG"
    logits, labels = _drawn()
    assert reliability_diagram(*reliability(probabilities_of(logits), labels))[:4] == b"\x89PNG"
