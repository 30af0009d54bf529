"""Checkpoints in Hugging Face's format, as Keras models with a head that tells classes apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub

from jobs.pretrained.export import load_head
from jobs.pretrained.families import FAMILIES, blocks_of
from jobs.pretrained.fields import config_of
from jobs.pretrained.heads import has_head_for_texts
from jobs.pretrained.tensors import Weights, fill_encoder
from jobs.pretrained.tokens import Tokenizer

#: By `model_type`, as config.json has it: the class of the classifier, whose backbone reads the folder.
CLASSIFIERS: Mapping[str, Any] = {
    "bert": keras_hub.models.BertTextClassifier,
    "distilbert": keras_hub.models.DistilBertTextClassifier,
    "roberta": keras_hub.models.RobertaTextClassifier,
    "xlm-roberta": keras_hub.models.XLMRobertaTextClassifier,
    "albert": keras_hub.models.AlbertTextClassifier,
}


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, ready to be trained or asked.

    Attributes:
        family: its `model_type`.
        classifier: a KerasHub classifier whose outputs are logits, float32 (batch, classes).
        has_head: whether the head came with the checkpoint; a fresh one has to be trained.
    """

    family: str
    classifier: keras.Model
    has_head: bool

    @property
    def backbone(self) -> Any:
        """The encoder in it."""
        return self.classifier.backbone


def load(folder: Path, classes: int, seed: int = 0, *, as_before: bool = False) -> Loaded:
    """Reads an encoder, and the head as well if the folder has one of so many classes.

    Args:
        folder: config.json and model.safetensors, as the library transformers writes them.
        classes: how many the head tells apart.
        seed: draws the weights of a head that is not there.
        as_before: whether it is for a training by the first rules (`training.passes.RULES`), which computes
            with KerasHub's dropout and epsilon, whatever config.json says.

    Raises:
        BadInput: the folder holds no checkpoint, or one that is not computed here as it says of itself.
    """
    config = config_of(folder)
    family = str(config["model_type"])
    weights = Weights(folder)
    names = weights.encoder(family, config)  # before a model is built by sizes that may be none
    keras.utils.set_random_seed(seed)  # the head's initial weights, equal in every attempt
    kind, dropout = CLASSIFIERS[family], dropouts(config)
    rates = {} if as_before else {"dropout": dropout.head}
    backbone = kind.backbone_cls(**_settings(config, None if as_before else dropout))
    classifier = kind(backbone=backbone, num_classes=classes, preprocessor=None, **rates)
    fill_encoder(family, backbone, weights, names, segments=family == "xlm-roberta" or not as_before)
    if not as_before:
        _obey(family, backbone, config, dropout)
    of_texts = as_before or has_head_for_texts(config, FAMILIES[family].architecture)
    return Loaded(family, classifier, of_texts and load_head(family, classifier, weights))


def load_encoder(folder: Path, *, pooler: bool = False) -> tuple[str, Any]:
    """Reads an encoder: its `model_type`, and the KerasHub backbone.

    Args:
        folder: of the checkpoint.
        pooler: whether its pooler is read, too, if it has one.

    Raises:
        BadInput: the folder holds no checkpoint, or one that is not computed here as it says of itself.
    """
    config = config_of(folder)
    family, dropout = str(config["model_type"]), dropouts(config)
    weights = Weights(folder)
    pooler = pooler and any(".pooler." in f".{name}" for name in weights.shapes)
    names = weights.encoder(family, config, pooler=pooler)
    backbone = CLASSIFIERS[family].backbone_cls(**_settings(config, dropout))
    fill_encoder(family, backbone, weights, names)
    _obey(family, backbone, config, dropout)
    return family, backbone


def _obey(family: str, backbone: Any, config: Mapping[str, Any], dropout: "Dropouts") -> None:
    set_epsilon(family, backbone, float(config.get("layer_norm_eps", FAMILIES[family].epsilon)))
    for block in blocks_of(family, backbone):
        block._self_attention_layer._dropout = dropout.attention


@dataclass(frozen=True)
class Dropouts:
    """Shares of numbers that are left out in training, by where."""

    hidden: float
    attention: float
    head: float


def dropouts(config: Mapping[str, Any]) -> Dropouts:
    """What config.json says of dropout; what it leaves out is as the library transformers has it."""
    if config["model_type"] == "distilbert":
        names, defaults = ("dropout", "attention_dropout", "seq_classif_dropout"), (0.1, 0.1, 0.2)
    elif config["model_type"] == "albert":
        names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob")
        defaults = (0.0, 0.0, 0.1)
    else:
        names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
        hidden = config.get("hidden_dropout_prob")
        defaults = (0.1, 0.1, 0.1 if hidden is None else hidden)
    found = (config.get(name) for name in names)
    return Dropouts(*(float(d if f is None else f) for f, d in zip(found, defaults, strict=True)))


def set_epsilon(family: str, backbone: Any, epsilon: float) -> None:
    """Sets what every layer normalisation adds to the variance."""
    backbone.embeddings_layer_norm.epsilon = epsilon
    for block in blocks_of(family, backbone):
        block._self_attention_layer_norm.epsilon = block._feedforward_layer_norm.epsilon = epsilon


def unusual(folder: Path, tokenizer: Tokenizer) -> str:
    """What a checkpoint says, and what was not obeyed before it could be; empty of most."""
    config = config_of(folder)
    usual = FAMILIES[config["model_type"]].epsilon
    epsilon = config.get("layer_norm_eps", usual)
    said = [
        f"layer_norm_eps {epsilon}" if epsilon != usual else "",
        "the ends of texts" if tokenizer.side == "left" else "",
    ]
    return "".join(f", {each}" for each in said if each)


def _settings(config: Mapping[str, Any], dropout: Dropouts | None) -> dict[str, Any]:
    """How the backbone of a config.json is built; without dropouts, by those that KerasHub reads or has."""
    family = config["model_type"]
    distil = family == "distilbert"
    names = {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers" if distil else "num_hidden_layers",
        "num_heads": "n_heads" if distil else "num_attention_heads",
        "hidden_dim": "dim" if distil else "hidden_size",
        "intermediate_dim": "hidden_dim" if distil else "intermediate_size",
    }
    if family == "albert":
        names |= {
            "embedding_dim": "embedding_size",
            "num_groups": "num_hidden_groups",
            "num_inner_repetitions": "inner_group_num",
        }
    settings = {setting: config[name] for setting, name in names.items()}
    settings["max_sequence_length"] = config["max_position_embeddings"] - FAMILIES[family].reserved
    if family in ("bert", "albert"):
        settings["num_segments"] = config.get("type_vocab_size", 2)
    if dropout is not None:
        return settings | {"dropout": dropout.hidden}
    read = {
        "roberta": "hidden_dropout_prob",
        "distilbert": "dropout",
        "albert": "attention_probs_dropout_prob",
    }
    return settings | ({"dropout": config[read[family]]} if family in read else {})


def segments(family: str) -> bool:
    """Whether a family has an embedding that tells the second of two texts from the first."""
    return family in ("bert", "albert")


def inputs(family: str, token_ids: Any, padding_mask: Any) -> dict[str, Any]:
    """What the classifier of a family is called with.

    Args:
        family: its `model_type`.
        token_ids: int32 (batch, length).
        padding_mask: int32 (batch, length), 1 for a token and 0 for padding.
    """
    given = {"token_ids": token_ids, "padding_mask": padding_mask}
    if segments(family):
        given["segment_ids"] = keras.ops.zeros_like(token_ids)  # one text, and so one segment
    return given
