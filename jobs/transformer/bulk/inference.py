"""What is computed of a batch of texts once a model is trained: logits, or embeddings."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.pretrained.models import Loaded, inputs
from jobs.pretrained.tokens import Array

#: From tokens int32 (batch, width) and lengths int32 (batch,) to numbers, float32 (batch, n).
Forward = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
SIGNATURE = (tf.TensorSpec((None, None), tf.int32, "tokens"), tf.TensorSpec((None,), tf.int32, "lengths"))


def logits_of(loaded: Loaded) -> Forward:
    """The logits of a classifier, float32 (batch, classes)."""
    stateless = _stateless(loaded.classifier)

    def forward(tokens: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1], tf.int32)
        return tf.cast(stateless(inputs(loaded.family, tokens, mask)), tf.float32)

    return forward


def embeddings_of(loaded: Loaded, normalize: bool) -> Forward:
    """The mean of the last hidden states over the tokens of each text, float32 (batch, hidden).

    Reimers and Gurevych 2019, Sentence-BERT, section 3 (MEAN strategy), https://arxiv.org/abs/1908.10084.

    Args:
        loaded: its head has no part in it.
        normalize: whether each gets length 1.
    """
    stateless = _stateless(loaded.classifier.backbone)

    def forward(tokens: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1], tf.int32)
        outputs = stateless(inputs(loaded.family, tokens, mask))
        hidden = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
        weights = tf.cast(mask, tf.float32)[:, :, tf.newaxis]
        sums = tf.reduce_sum(tf.cast(hidden, tf.float32) * weights, axis=1)
        means = sums / tf.reduce_sum(weights, axis=1)
        return tf.math.l2_normalize(means, axis=1, epsilon=1e-24) if normalize else means

    return forward


def _stateless(model: keras.Model) -> Callable[[object], object]:
    """A model whose weights become constants of whatever graph it is called in.

    TensorFlow's own way to freeze variables takes twice the time: it inlines and folds the whole graph.
    """
    trainable = [np.asarray(variable.value) for variable in model.trainable_variables]
    others = [np.asarray(variable.value) for variable in model.non_trainable_variables]

    def call(given: object) -> object:
        constants = [[tf.constant(array) for array in group] for group in (trainable, others)]
        outputs, _ = model.stateless_call(*constants, given, training=False)
        return outputs

    return call


def frozen(forward: Forward) -> Any:
    """The concrete function of a forward pass, for any batch and width."""
    function = tf.function(forward, input_signature=SIGNATURE, autograph=False)
    return function.get_concrete_function()


def batch_of(tokens: Array, lengths: Array) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch as tensors."""
    return tf.constant(tokens, tf.int32), tf.constant(lengths, tf.int32)
