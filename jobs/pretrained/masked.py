"""Encoders with a head that tells masked words: in from a Hugging Face folder, and out again.

KerasHub leaves these heads out of the checkpoints that it reads; here they are read and written under the
names that `AutoModelForMaskedLM` of the library transformers has for them. The output matrix is the table of
the words' embeddings (Press and Wolf, 2017), as in all checkpoints of these families.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.export import encoder_config, encoder_file, write_folder
from jobs.pretrained.families import FAMILIES, Array, Tensor
from jobs.pretrained.fields import config_of
from jobs.pretrained.files import CONFIG
from jobs.pretrained.models import load_encoder
from jobs.pretrained.tensors import OLD_NAMES, Weights
from jobs.transformer.encoder import fused


@dataclass(frozen=True)
class Names:
    """How a family's head is called in a checkpoint: the class that loads it, and its modules."""

    architecture: str
    dense: str
    norm: str
    bias: str


_ROBERTA = ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias")
#: By `model_type`.
NAMES: Mapping[str, Names] = {
    "bert": Names(
        "BertForMaskedLM",
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
    ),
    "distilbert": Names(
        "DistilBertForMaskedLM", "vocab_transform", "vocab_layer_norm", "vocab_projector.bias"
    ),
    "roberta": Names("RobertaForMaskedLM", *_ROBERTA),
    "xlm-roberta": Names("XLMRobertaForMaskedLM", *_ROBERTA),
    "albert": Names("AlbertForMaskedLM", "predictions.dense", "predictions.LayerNorm", "predictions.bias"),
}


class MaskedHead(keras.Layer):
    """From hidden states to logits of words: dense, GELU, layer normalisation, the table of embeddings.

    Args:
        hidden: numbers of a state.
        width: numbers of a word's embedding.
        vocabulary: words.
        epsilon: of the normalisation.
        exact: whether GELU is by the error function.
        seed: draws the weights.
    """

    def __init__(
        self, hidden: int, width: int, vocabulary: int, epsilon: float, exact: bool, seed: int
    ) -> None:
        super().__init__(name="masked_head")
        drawn = keras.initializers.RandomNormal(stddev=0.02, seed=seed)
        self.dense = keras.layers.Dense(width, kernel_initializer=drawn, name="dense")
        self.dense.build((None, hidden))
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm")
        self.norm.build((None, width))
        self.bias = self.add_weight(name="bias", shape=(vocabulary,), initializer="zeros")
        self.exact = exact
        self.built = True

    def logits(self, states: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
        """Logits of words, float32 (tokens, vocabulary).

        Args:
            states: (tokens, hidden), float32 or bfloat16, in which the products are computed.
            table: embeddings of words, float32 (vocabulary, width).
        """
        kind = states.dtype
        inner = tf.matmul(states, tf.cast(self.dense.kernel.value, kind))
        inner = fused.bias_gelu(inner, self.dense.bias.value, self.exact)
        normed = fused.bias_dropout_add_norm(
            inner,
            tf.zeros_like(self.dense.bias.value),
            tf.zeros_like(inner),
            self.norm.gamma.value,
            self.norm.beta.value,
            self.norm.epsilon,
            tf.zeros((2,), tf.uint32),
            0.0,
        )
        products = tf.matmul(normed, tf.cast(table, kind), transpose_b=True)
        return tf.cast(products, tf.float32) + self.bias.value


@dataclass(frozen=True)
class Masked:
    """An encoder with a head that tells masked words.

    Attributes:
        family: its `model_type`.
        backbone: of KerasHub.
        head: of `MaskedHead`.
        has_head: whether the head came with the checkpoint; a fresh one has to be trained.
    """

    family: str
    backbone: Any = field(repr=False)
    head: MaskedHead = field(repr=False)
    has_head: bool

    @property
    def table(self) -> keras.Variable:
        """The embeddings of words, float32 (vocabulary, width)."""
        variable: keras.Variable = self.backbone.token_embedding.embeddings
        return variable

    def encoder_variables(self) -> list[keras.Variable]:
        """Those that masked words train: all but the pooler, which reads the first token for other heads."""
        pooler = getattr(self.backbone, "pooled_dense", None)
        left = {id(variable) for variable in pooler.trainable_variables} if pooler is not None else set()
        return [each for each in self.backbone.trainable_variables if id(each) not in left]


def load(folder: Path, seed: int) -> Masked:
    """Reads an encoder, and its head if the folder has one.

    Args:
        folder: config.json and model.safetensors, as the library transformers writes them.
        seed: draws the weights of a head that is not there.

    Raises:
        BadInput: the folder holds no checkpoint, or one that is not computed here as it says of itself.
    """
    config = config_of(folder)
    family = str(config["model_type"])
    if config.get("tie_word_embeddings", True) is False:
        raise BadInput(
            f"{CONFIG} of {folder.name} says tie_word_embeddings=false, and a head for masked words is "
            "computed here with the table of the embeddings"
        )
    keras.utils.set_random_seed(seed)  # a pooler that is not there, equal in every attempt
    _, backbone = load_encoder(folder, pooler=True)
    table = backbone.token_embedding.embeddings
    head = MaskedHead(
        int(backbone.hidden_dim),
        int(table.shape[1]),
        int(table.shape[0]),
        float(backbone.embeddings_layer_norm.epsilon),
        FAMILIES[family].activation == "gelu",
        seed,
    )
    return Masked(family, backbone, head, _fill(family, head, Weights(folder)))


def head_tensors(family: str, head: MaskedHead) -> Iterator[Tensor]:
    """Every tensor of a head, but for the table, which is the encoder's."""
    names = NAMES[family]
    yield Tensor(f"{names.dense}.weight", head.dense.kernel, inputs=1)
    yield Tensor(f"{names.dense}.bias", head.dense.bias)
    yield Tensor(f"{names.norm}.weight", head.norm.gamma)
    yield Tensor(f"{names.norm}.bias", head.norm.beta)
    yield Tensor(names.bias, head.bias)


def _fill(family: str, head: MaskedHead, weights: Weights) -> bool:
    found = {}
    for tensor in head_tensors(family, head):
        ending = tensor.name[tensor.name.rfind(".") :]
        spelt = (tensor.name, tensor.name.removesuffix(ending) + OLD_NAMES[ending])
        name = next((each for each in spelt if weights.shapes.get(each) == tensor.to_file().shape), None)
        if name is None:
            return False
        found[tensor.name] = name
    arrays = weights.arrays(found)
    for tensor in head_tensors(family, head):
        tensor.to_variable(arrays[tensor.name])
    return True


def export(model: Masked, source: Path, folder: Path, card: str) -> None:
    """Writes config.json, model.safetensors, the tokenizer's files and a model card.

    `AutoModelForMaskedLM` loads the folder, and so does every job here that takes a checkpoint.

    Args:
        model: trained.
        source: the folder that the training began with: its config.json and its tokenizer.
        folder: where to write; made if it is not there.
        card: the model card, Markdown.
    """
    said = {
        **dict.fromkeys(("id2label", "label2id", "problem_type")),
        **encoder_config(model.family, model.backbone),
        "architectures": [NAMES[model.family].architecture],
        "tie_word_embeddings": True,
    }
    write_folder(folder, source, said, tensors_of(model), card)


def tensors_of(model: Masked) -> dict[str, Array]:
    """Every tensor of the checkpoint by its name, float32."""
    head = {tensor.name: tensor.to_file() for tensor in head_tensors(model.family, model.head)}
    return encoder_file(model.family, model.backbone) | head
