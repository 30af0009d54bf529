"""What computes logits and embeddings: each engine the numbers of the Keras model, and nobody is told."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import AnswerQuestions, ClassifyImages, ClassifyTexts, GenerateTexts
from jobs.errors import BadInput, InvalidSpec
from jobs.pretrained import models
from jobs.spec import JobSpec
from jobs.transformer.bulk import engine
from jobs.transformer.bulk.engine import Choice, classifying, embedding
from jobs.transformer.bulk.quantising import quantised
from tests.unit.test_transformer_export import CLASSES, CONFIGS, VOCABULARY
from tests.unit.test_transformer_export import checkpoint as checkpoint  # a fixture

openvino = pytest.mark.skipif(not engine.has_openvino(), reason="OpenVINO is not installed")
LIBRARIES = [pytest.param("openvino", marks=openvino), "tensorflow"]


def batches() -> list[engine.Batch]:
    """Batches of different sizes and widths, with texts of one token and texts without padding."""
    draws = np.random.default_rng(0)
    found = []
    for size, width in ((3, 6), (1, 2), (5, 4)):
        lengths = draws.integers(1, width + 1, size).astype(np.int32)
        lengths[0] = width
        tokens = draws.integers(1, VOCABULARY, (size, width)).astype(np.int32)
        tokens[np.arange(width) >= lengths[:, np.newaxis]] = 0
        found.append((tokens, lengths))
    return found


def by_keras(model: Any, family: str, batch: engine.Batch) -> Any:
    tokens, lengths = batch
    mask = (np.arange(tokens.shape[1]) < lengths[:, np.newaxis]).astype(np.int32)
    return model(models.inputs(family, tf.constant(tokens), tf.constant(mask)), training=False)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("checkpoint", CONFIGS, indirect=True)
def test_logits_and_embeddings_are_those_of_the_keras_model_for_each_family(
    checkpoint: Path, library: str
) -> None:
    loaded = models.load(checkpoint, CLASSES)
    choice = Choice(library, "float32")
    engines = classifying(loaded, choice), embedding(loaded, False, choice), embedding(loaded, True, choice)

    for (tokens, lengths), *found in zip(batches(), *(each.run(batches()) for each in engines), strict=True):
        logits, means, normed = found
        expected = np.asarray(by_keras(loaded.classifier, loaded.family, (tokens, lengths)))
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, atol=1e-5 * max(1.0, np.abs(expected).max()))
        outputs = by_keras(loaded.classifier.backbone, loaded.family, (tokens, lengths))
        hidden = np.asarray(outputs["sequence_output"] if isinstance(outputs, dict) else outputs)
        by_hand = np.stack([text[:length].mean(axis=0) for text, length in zip(hidden, lengths, strict=True)])
        np.testing.assert_allclose(means, by_hand, atol=1e-5)
        unit = by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True)
        np.testing.assert_allclose(normed, unit, atol=1e-5)


@pytest.mark.parametrize(
    ("library", "precision"),
    [
        pytest.param("openvino", "bfloat16", marks=openvino),
        pytest.param("openvino", "int8", marks=openvino),
        ("tensorflow", "bfloat16"),
    ],
)
@pytest.mark.parametrize("checkpoint", ["bert"], indirect=True)
def test_fewer_bits_are_close_to_float32_and_no_batch_depends_on_its_neighbours(
    checkpoint: Path, library: str, precision: str
) -> None:
    loaded = models.load(checkpoint, CLASSES)
    exact = list(classifying(loaded, Choice(library, "float32")).run(batches()))
    rough = classifying(loaded, Choice(library, precision))

    found = list(rough.run(batches()))
    reversed_ = list(rough.run(batches()[::-1]))[::-1]

    assert not np.array_equal(found[0], exact[0])
    for one, other, logits in zip(found, reversed_, exact, strict=True):
        np.testing.assert_array_equal(one, other)
        # Weights of standard deviation 1 make logits of about 10.
        np.testing.assert_allclose(one, logits, atol=0.1 * np.abs(logits).max())


@openvino
def test_openvino_writes_nothing_into_the_home_folder_and_loads_no_telemetry(tmp_path: Path) -> None:
    program = (
        "import sys, tensorflow\n"
        "from jobs.transformer.bulk.openvino import quiet_import\n"
        "quiet_import()\n"
        "loaded = [name for name in sys.modules if name.split('.')[0] == 'openvino_telemetry']\n"
        "sys.exit(repr(loaded) if loaded else 0)"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "2"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert not (tmp_path / "intel").exists()


def test_an_engine_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_openvino", lambda: False)

    assert Choice.of(precision="float32") == Choice("tensorflow", "float32")
    with pytest.raises(BadInput, match=r"needs the package openvino, .* or choose engine='tensorflow'"):
        Choice.of("openvino")
    with pytest.raises(
        BadInput, match=r"'int8' needs a CPU and the package openvino, .* precision='bfloat16'"
    ):
        Choice.of(precision="int8")


@pytest.mark.parametrize(
    "kind",
    [
        partial(ClassifyTexts, pretrained="a", texts=("a",)),
        partial(AnswerQuestions, pretrained="a", texts=("a",), questions=("b",)),
        partial(ClassifyImages, pretrained="a", dataset="digits"),
        partial(GenerateTexts, pretrained="a", texts=("a",)),
    ],
)
def test_8_bits_and_an_engine_without_them_are_refused_at_once(kind: Callable[..., JobSpec[Any]]) -> None:
    assert kind(precision="int8", engine="openvino")
    with pytest.raises(InvalidSpec, match="precision='int8' needs OpenVINO, received it with engine='tens"):
        kind(precision="int8", engine="tensorflow")


def test_8_bits_are_the_nearest_multiples_of_a_scale_for_each_output() -> None:
    kernel = np.random.default_rng(0).normal(0, [[1e-3], [1], [1e3], [0]], (4, 9)).astype(np.float32)
    integers, scales = quantised(kernel)
    for row, (numbers, scale) in enumerate(zip(integers, scales[:, 0], strict=True)):
        assert all(
            abs(each - int(number) * scale) <= scale / 2 * 1.001
            for each, number in zip(kernel[row], numbers, strict=True)
        )
    assert [int(np.abs(row).max()) for row in integers] == [127, 127, 127, 0]
    assert np.isfinite(scales).all()
