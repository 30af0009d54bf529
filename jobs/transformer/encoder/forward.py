"""The logits of a KerasHub model, computed from its variables in as few passes over memory as it takes.

The same mathematics as the model's own graph, for the families bert, distilbert, roberta, xlm-roberta
and albert, so checkpoints and exports are not concerned. What is other is how it is computed: tokens as one
matrix, one product for queries, keys and values, compiled passes between the products
(`jobs.transformer.encoder.fused`), and for a classifier in the last block only what the first token's output
depends on, which is all that its head reads.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from jobs.transformer.encoder import block, fused
from jobs.transformer.encoder.dropout import keys

#: By the name of a precision: the type of activations and products. Weights and sums are float32 in any.
PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}


def logits_of(
    classifier: Any,
    family: str,
    token_ids: tf.Tensor,
    lengths: tf.Tensor,
    *,
    seed: tf.Tensor | None = None,
    precision: str = "float32",
) -> tf.Tensor:
    """Logits, float32 (batch, classes).

    One trace does for all lengths; XLA compiles the parts between the products once for each.

    Args:
        classifier: a KerasHub classifier of one of the families.
        family: its `model_type`.
        token_ids: int32 (batch, length), the padding at the end and of any value.
        lengths: tokens of each text, int32 (batch,), each at least 1.
        seed: int32 or int64 (2,), another one in each step: draws the dropout. None leaves dropout out.
        precision: one of `PRECISIONS`.
    """
    tokens, batch = _encoded(
        classifier.backbone, family, token_ids, lengths, seed, precision, first_only=True
    )
    return _head(family, classifier, tf.cast(tokens, tf.float32), batch)


def states_of(
    backbone: Any,
    family: str,
    token_ids: tf.Tensor,
    lengths: tf.Tensor,
    *,
    seed: tf.Tensor | None = None,
    precision: str = "float32",
) -> tf.Tensor:
    """The last hidden states of all tokens, (batch * length, hidden), in the type of the activations.

    Args:
        backbone: a KerasHub backbone of one of the families.
        family: its `model_type`.
        token_ids: as in `logits_of`.
        lengths: as in `logits_of`.
        seed: as in `logits_of`.
        precision: one of `PRECISIONS`.
    """
    return _encoded(backbone, family, token_ids, lengths, seed, precision, first_only=False)[0]


def _encoded(
    backbone: Any,
    family: str,
    token_ids: tf.Tensor,
    lengths: tf.Tensor,
    seed: tf.Tensor | None,
    precision: str,
    first_only: bool,
    seconds: tf.Tensor | None = None,
) -> tuple[tf.Tensor, block.Batch]:
    """What the last block makes of all tokens, or of the first ones only, (rows, hidden)."""
    blocks = list(_blocks(family, backbone))
    masks = None if seed is None else iter(keys(seed, 3 * len(blocks) + 3))
    size, length = tf.unstack(tf.shape(token_ids))
    batch = block.Batch(lengths, size, length, PRECISIONS[precision], masks)
    tokens = _embeddings(family, backbone, token_ids, batch, seconds)
    for number, layer in enumerate(blocks):
        tokens = block.forward(layer, tokens, batch, first_only and number == len(blocks) - 1)
    return tokens, batch


def span_logits_of(
    backbone: Any,
    head: Any,
    family: str,
    token_ids: tf.Tensor,
    lengths: tf.Tensor,
    seconds: tf.Tensor,
    *,
    rate: float = 0.0,
    seed: tf.Tensor | None = None,
    precision: str = "float32",
) -> tf.Tensor:
    """Logits of each token to begin an answer, and to end one, float32 (batch, length, 2).

    Section 4.2 of Devlin et al. 2018: the product of the token's output with two vectors.

    Args:
        backbone: a KerasHub backbone of one of the families.
        head: a dense layer of two units.
        family: its `model_type`.
        token_ids: int32 (batch, length), the padding at the end and of any value.
        lengths: tokens of each pair of texts, int32 (batch,), each at least 1.
        seconds: the place of the first token of each second text, int32 (batch,); families without segments
            do not look at it.
        rate: of the dropout before the head.
        seed: int32 or int64 (2,), another one in each step: draws the dropout. None leaves dropout out.
        precision: one of `PRECISIONS`.
    """
    tokens, batch = _encoded(
        backbone, family, token_ids, lengths, seed, precision, first_only=False, seconds=seconds
    )
    hidden = _dropped(tf.cast(tokens, tf.float32), batch, rate)
    logits = tf.matmul(hidden, head.kernel.value) + head.bias.value
    return tf.reshape(logits, (batch.size, batch.length, 2))


def _blocks(family: str, backbone: Any) -> Iterator[Any]:
    """The blocks in the order in which tokens go through them; ALBERT's more than once."""
    if family != "albert":
        yield from backbone.transformer_layers
        return
    for group in backbone.transformer_layers:
        for _ in range(backbone.num_layers // backbone.num_groups):
            yield from group


def _embeddings(
    family: str,
    backbone: Any,
    token_ids: tf.Tensor,
    batch: block.Batch,
    seconds: tf.Tensor | None = None,
) -> tf.Tensor:
    """Sum of the embeddings of token, position and segment, normalised, (batch * length, hidden)."""
    segments = family in ("bert", "albert")
    place = backbone.position_embedding if segments else backbone.embeddings.position_embedding
    words = tf.gather(backbone.token_embedding.embeddings.value, tf.reshape(token_ids, (-1,)))
    places = place.position_embeddings.value[: batch.length]
    if segments and seconds is None:  # one text, and so one segment
        places += backbone.segment_embedding.embeddings.value[0]
    places = tf.reshape(tf.tile(places[None], (batch.size, 1, 1)), tf.shape(words))
    if segments and seconds is not None:
        number = tf.cast(tf.range(batch.length) >= seconds[:, tf.newaxis], tf.int32)  # (batch, length)
        places += tf.gather(backbone.segment_embedding.embeddings.value, tf.reshape(number, (-1,)))
    norm = backbone.embeddings_layer_norm
    normed = fused.bias_dropout_add_norm(
        words,
        tf.zeros_like(norm.beta.value),
        places,
        norm.gamma.value,
        norm.beta.value,
        norm.epsilon,
        tf.zeros((2,), tf.uint32),
        0.0,
    )
    tokens = tf.cast(_dropped(normed, batch, backbone.dropout), batch.kind)
    if family != "albert":
        return tokens
    dense = backbone.embeddings_projection
    product = tf.matmul(tokens, tf.cast(dense.kernel.value, batch.kind))
    return fused.add_bias(product, dense.bias.value)


def _head(family: str, classifier: Any, first: tf.Tensor, batch: block.Batch) -> tf.Tensor:
    """From the first tokens, float32 (batch, hidden), to the logits."""
    if family in ("roberta", "xlm-roberta"):
        first = _dropped(first, batch, classifier.pooled_dropout.rate)
    of_backbone = family in ("bert", "albert")
    dense = classifier.backbone.pooled_dense if of_backbone else classifier.pooled_dense
    pooled = dense.activation(tf.matmul(first, dense.kernel.value) + dense.bias.value)
    pooled = _dropped(pooled, batch, classifier.output_dropout.rate)
    output = classifier.output_dense
    return tf.matmul(pooled, output.kernel.value) + output.bias.value


def _dropped(values: tf.Tensor, batch: block.Batch, rate: float) -> tf.Tensor:
    return fused.dropout(values, *batch.mask(rate))
