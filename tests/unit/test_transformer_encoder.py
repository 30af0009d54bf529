import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from jobs.pretrained.models import CLASSIFIERS, inputs
from jobs.transformer.encoder.dropout import drop, keys
from jobs.transformer.encoder.forward import logits_of

SIZES = {
    "vocabulary_size": 23,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "max_sequence_length": 9,
}
EXTRA = {"albert": {"num_layers": 4, "embedding_dim": 8, "num_groups": 2, "num_inner_repetitions": 2}}
LENGTHS = np.array([5, 9, 1, 7], np.int32)


def _classifier(family, dropout=0.1):
    kind = CLASSIFIERS[family]
    backbone = kind.backbone_cls(**{**SIZES, **EXTRA.get(family, {})}, dropout=dropout)
    classifier = kind(backbone=backbone, num_classes=3, preprocessor=None, dropout=dropout)
    random = np.random.default_rng(0)
    for variable in classifier.weights:  # biases and scales too, which begin as zeros and ones
        variable.assign(np.asarray(variable) + 0.3 * random.standard_normal(variable.shape))
    return classifier


def _texts():
    token_ids = np.random.default_rng(1).integers(0, 23, (4, 9)).astype(np.int32)
    mask = (np.arange(9) < LENGTHS[:, None]).astype(np.int32)
    return token_ids, mask


def _loss(logits):
    labels = tf.constant([0, 2, 1, 2])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _gradients(classifier, logits):
    variables = [variable.value for variable in classifier.trainable_variables]

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            loss = _loss(logits())
        return tape.gradient(loss, variables)

    return [tf.convert_to_tensor(gradient).numpy() for gradient in compute()]


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_logits_are_those_of_the_classifier_whatever_the_padding_holds(family):
    classifier, (token_ids, mask) = _classifier(family), _texts()
    given = inputs(family, tf.constant(token_ids), tf.constant(mask))
    expected = classifier(given, training=False)
    other = np.where(mask, token_ids, 7).astype(np.int32)
    for tokens in (token_ids, other):
        logits = logits_of(classifier, family, tf.constant(tokens), tf.constant(LENGTHS))
        np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_gradients_are_those_of_the_classifiers_own_graph(family):
    classifier, (token_ids, mask) = _classifier(family), _texts()
    given = inputs(family, tf.constant(token_ids), tf.constant(mask))
    expected = _gradients(classifier, lambda: classifier(given, training=False))
    ours = _gradients(
        classifier,
        lambda: logits_of(classifier, family, tf.constant(token_ids), tf.constant(LENGTHS)),
    )
    for variable, left, right in zip(classifier.trainable_variables, ours, expected, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5, err_msg=variable.path)


def test_a_bfloat16_encoder_differs_by_its_rounding_alone():
    classifier, (token_ids, _) = _classifier("bert"), _texts()
    precise, rough = (
        logits_of(classifier, "bert", tf.constant(token_ids), tf.constant(LENGTHS), precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(precise - rough).max() < 0.05 * np.abs(precise).max()


def test_dropout_is_a_function_of_the_seed_and_differs_between_steps():
    classifier, (token_ids, _) = _classifier("bert"), _texts()

    @tf.function
    def logits(seed):
        return logits_of(classifier, "bert", tf.constant(token_ids), tf.constant(LENGTHS), seed=seed)

    first, again, other_step, other_seed = (
        logits(tf.constant(seed)).numpy() for seed in ((0, 1), (0, 1), (0, 2), (1, 1))
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other_step) and not np.allclose(first, other_seed)


def test_gradients_with_dropout_are_those_of_finite_differences():
    classifier, (token_ids, _) = _classifier("bert"), _texts()
    variable = classifier.backbone.transformer_layers[0]._feedforward_output_dense.kernel

    @tf.function
    def loss():
        seed = tf.constant((0, 1))
        return _loss(logits_of(classifier, "bert", tf.constant(token_ids), tf.constant(LENGTHS), seed=seed))

    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, variable.value)
    direction = gradient / tf.norm(gradient)
    ends = []
    for way in (1, -1):
        variable.assign_add(way * 1e-2 * direction)
        ends.append(float(loss()))
        variable.assign_sub(way * 1e-2 * direction)
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-2, tf.norm(gradient), rtol=1e-2)


def _masks(count, rate, seed=(0, 1)):
    compute = tf.function(lambda key: drop(tf.ones((256, 300)), key, rate), jit_compile=True)
    return np.stack([compute(key).numpy() for key in keys(tf.constant(seed), count)])


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_keeps_the_mean_and_its_masks_know_nothing_of_each_other(rate):
    masks = _masks(6, rate).reshape(6, -1)
    count = masks.shape[1]
    assert set(np.unique(masks)) == {np.float32(0), np.float32(1 / (1 - rate))}
    kept = masks > 0
    error = np.sqrt(rate * (1 - rate) / count)
    assert np.abs(kept.mean(1) - (1 - rate)).max() < 4.5 * error
    # Of any two masks, and of a mask and itself moved along or down a row: no correlation.
    signs = (kept - (1 - rate)) / np.sqrt(rate * (1 - rate))
    pairs = [signs[i] * signs[j] for i in range(6) for j in range(i)]
    moved = [signs[i] * np.roll(signs[i], step) for i in range(6) for step in (1, 2, 300, 2**14)]
    assert max(abs(each.mean()) for each in pairs + moved) < 4.5 / np.sqrt(count)


MASK = """
import hashlib, tensorflow as tf
from jobs.transformer.encoder.dropout import drop, keys
mask = tf.function(lambda seed: drop(tf.ones((64, 33)), keys(seed, 3)[2], 0.3), jit_compile=True)
digest = hashlib.sha256(mask(tf.constant((5, 7))).numpy().tobytes()).hexdigest()
"""


def test_masks_are_the_same_in_another_process():
    here = {}
    exec(MASK, here)
    there = subprocess.run([sys.executable, "-c", MASK + "print(digest)"], capture_output=True, text=True)
    assert there.stdout.strip() == here["digest"]
