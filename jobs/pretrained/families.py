"""How each family of encoders is laid out in a Hugging Face checkpoint, and in KerasHub.

One table a family says which module of the checkpoint is which layer; what is inside a layer follows from its
class. A checkpoint of the library transformers is read and written with the same tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]

#: The layer of a backbone that a classifier's head begins with; nothing else looks at it.
POOLER = "pooled_dense"


@dataclass(frozen=True)
class Family:
    """One family: modules of the checkpoint, each with the layer of the KerasHub model that it is.

    Attributes:
        architecture: the class that loads a classifier with PyTorch.
        answering: the class that loads one that finds answers.
        prefix: what the names of the encoder's modules begin with.
        encoder: modules around the blocks; layers of the backbone.
        blocks: how the modules of a block begin; `{}` is its number (ALBERT: group, and place in it).
        block: modules of a block; parts of a `TransformerEncoder`.
        head: modules of the classifier, with their whole names; layers of the KerasHub classifier.
        reserved: rows of the position table that stand for no position; KerasHub leaves them out.
        activation: the activation that KerasHub computes, by its name in transformers.
        epsilon: of the layer normalisations in KerasHub.
    """

    architecture: str
    answering: str
    prefix: str
    encoder: Mapping[str, str]
    blocks: str
    block: Mapping[str, str]
    head: Mapping[str, str]
    activation: str
    epsilon: float
    reserved: int = 0


_ATTENTION = "_self_attention_layer."
_BERT_EMBEDDINGS = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "position_embedding",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embeddings_layer_norm",
}
_BERT_BLOCK = {
    "attention.self.query": _ATTENTION + "query_dense",
    "attention.self.key": _ATTENTION + "key_dense",
    "attention.self.value": _ATTENTION + "value_dense",
    "attention.output.dense": _ATTENTION + "output_dense",
    "attention.output.LayerNorm": "_self_attention_layer_norm",
    "intermediate.dense": "_feedforward_intermediate_dense",
    "output.dense": "_feedforward_output_dense",
    "output.LayerNorm": "_feedforward_layer_norm",
}
_ROBERTA: dict[str, Any] = {
    "prefix": "roberta.",
    "encoder": {
        "embeddings.word_embeddings": "token_embedding",
        "embeddings.position_embeddings": "embeddings.position_embedding",
        "embeddings.LayerNorm": "embeddings_layer_norm",
    },
    "blocks": "encoder.layer.{}.",
    "block": _BERT_BLOCK,
    "head": {"classifier.dense": "pooled_dense", "classifier.out_proj": "output_dense"},
    "activation": "gelu",
    "epsilon": 1e-5,
    "reserved": 2,
}

#: By `model_type`, as config.json has it.
FAMILIES: Mapping[str, Family] = {
    "bert": Family(
        architecture="BertForSequenceClassification",
        answering="BertForQuestionAnswering",
        prefix="bert.",
        encoder={**_BERT_EMBEDDINGS, "pooler.dense": "pooled_dense"},
        blocks="encoder.layer.{}.",
        block=_BERT_BLOCK,
        head={"classifier": "output_dense"},
        activation="gelu_pytorch_tanh",
        epsilon=1e-12,
    ),
    "distilbert": Family(
        architecture="DistilBertForSequenceClassification",
        answering="DistilBertForQuestionAnswering",
        prefix="distilbert.",
        encoder={
            "embeddings.word_embeddings": "token_embedding",
            "embeddings.position_embeddings": "embeddings.position_embedding",
            "embeddings.LayerNorm": "embeddings_layer_norm",
        },
        blocks="transformer.layer.{}.",
        block={
            "attention.q_lin": _ATTENTION + "query_dense",
            "attention.k_lin": _ATTENTION + "key_dense",
            "attention.v_lin": _ATTENTION + "value_dense",
            "attention.out_lin": _ATTENTION + "output_dense",
            "sa_layer_norm": "_self_attention_layer_norm",
            "ffn.lin1": "_feedforward_intermediate_dense",
            "ffn.lin2": "_feedforward_output_dense",
            "output_layer_norm": "_feedforward_layer_norm",
        },
        head={"pre_classifier": "pooled_dense", "classifier": "output_dense"},
        activation="gelu",
        epsilon=1e-12,
    ),
    "roberta": Family(
        architecture="RobertaForSequenceClassification", answering="RobertaForQuestionAnswering", **_ROBERTA
    ),
    "xlm-roberta": Family(
        architecture="XLMRobertaForSequenceClassification",
        answering="XLMRobertaForQuestionAnswering",
        **_ROBERTA,
    ),
    "albert": Family(
        architecture="AlbertForSequenceClassification",
        answering="AlbertForQuestionAnswering",
        prefix="albert.",
        encoder={
            **_BERT_EMBEDDINGS,
            "encoder.embedding_hidden_mapping_in": "embeddings_projection",
            "pooler": "pooled_dense",
        },
        blocks="encoder.albert_layer_groups.{}.albert_layers.{}.",
        block={
            "attention.query": _ATTENTION + "query_dense",
            "attention.key": _ATTENTION + "key_dense",
            "attention.value": _ATTENTION + "value_dense",
            "attention.dense": _ATTENTION + "output_dense",
            "attention.LayerNorm": "_self_attention_layer_norm",
            "ffn": "_feedforward_intermediate_dense",
            "ffn_output": "_feedforward_output_dense",
            "full_layer_layer_norm": "_feedforward_layer_norm",
        },
        head={"classifier": "output_dense"},
        activation="gelu_pytorch_tanh",
        epsilon=1e-12,
    ),
}


@dataclass(frozen=True)
class Tensor:
    """A tensor of a checkpoint, and the variable that it is in KerasHub.

    Attributes:
        name: in the checkpoint.
        variable: in the model.
        inputs: of a dense kernel, how many of the variable's axes are inputs; 0 for anything else.
        reserved: rows that the checkpoint has before the variable's own.
    """

    name: str
    variable: keras.Variable = field(repr=False)
    inputs: int = 0
    reserved: int = 0

    def to_file(self) -> Array:
        """The tensor as the checkpoint has it: float32; kernels (outputs, inputs), all else as it is read."""
        array = np.asarray(tf.identity(self.variable.value), np.float32)
        if self.inputs:
            return array.reshape(int(np.prod(array.shape[: self.inputs])), -1).T.copy()
        if self.reserved:
            return np.concatenate([np.zeros((self.reserved, array.shape[1]), np.float32), array])
        return array.reshape(-1) if self.name.endswith(".bias") else array

    def to_variable(self, array: Array) -> None:
        """Fills the variable with a checkpoint's tensor.

        Raises:
            ValueError: it has another number of elements.
        """
        turned = array.T if self.inputs else array[self.reserved :]
        self.variable.assign(turned.reshape(self.variable.shape).astype(np.float32))


def encoder_tensors(model_type: str, backbone: Any, *, pooler: bool = True) -> Iterator[Tensor]:
    """Every tensor of a backbone's checkpoint that is a variable of the backbone.

    Args:
        model_type: the family's name.
        backbone: a KerasHub backbone of that family.
        pooler: whether the pooler of BERT and ALBERT is among them.
    """
    family = FAMILIES[model_type]
    for module, path in family.encoder.items():
        if path == POOLER and not pooler:
            continue
        yield from _of_layer(family.prefix + module, attrgetter(path)(backbone), family.reserved)
    for prefix, block in _blocks(family, backbone):
        for module, path in family.block.items():
            yield from _of_layer(family.prefix + prefix + module, attrgetter(path)(block))


def head_tensors(model_type: str, classifier: Any) -> Iterator[Tensor]:
    """Every tensor of the head of a KerasHub classifier (`keras_hub.models.TextClassifier`)."""
    for module, path in FAMILIES[model_type].head.items():
        yield from _of_layer(module, getattr(classifier, path))


def blocks_of(model_type: str, backbone: Any) -> list[Any]:
    """The blocks of an encoder, from the lowest; of ALBERT, each that is repeated once."""
    return [block for _, block in _blocks(FAMILIES[model_type], backbone)]


def _blocks(family: Family, backbone: Any) -> Iterator[tuple[str, Any]]:
    if family.blocks.count("{}") == 1:
        for number in range(backbone.num_layers):
            yield family.blocks.format(number), backbone.get_layer(f"transformer_layer_{number}")
        return
    for group in range(backbone.num_groups):
        for inner in range(backbone.num_inner_repetitions):
            yield (
                family.blocks.format(group, inner),
                backbone.get_layer(f"group_{group}_inner_layer_{inner}"),
            )


def _of_layer(module: str, layer: Any, reserved: int = 0) -> Iterator[Tensor]:
    if isinstance(layer, keras.layers.LayerNormalization):
        yield Tensor(f"{module}.weight", layer.gamma)
        yield Tensor(f"{module}.bias", layer.beta)
    elif isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense):
        # An axis of the kernel that is no axis of the bias is an input: (hidden, heads, size of a head) for a
        # query, (heads, size of a head, hidden) for what comes out of the attention.
        inputs = len(layer.kernel.shape) - len(layer.bias.shape)
        yield Tensor(f"{module}.weight", layer.kernel, inputs=inputs)
        yield Tensor(f"{module}.bias", layer.bias)
    elif isinstance(layer, keras.layers.Embedding):
        yield Tensor(f"{module}.weight", layer.embeddings)
    else:
        yield Tensor(f"{module}.weight", layer.position_embeddings, reserved=reserved)
