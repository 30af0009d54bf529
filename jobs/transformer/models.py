"""Checkpoints in Hugging Face's format, as Keras models with a head that tells classes apart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub

from jobs.errors import BadInput
from jobs.transformer.export import load_head

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


def load(folder: Path, classes: int, seed: int = 0) -> Loaded:
    """Reads an encoder, and the head as well if the folder has one of so many classes.

    Args:
        folder: config.json and model.safetensors, as the library transformers writes them.
        classes: how many the head tells apart.
        seed: draws the weights of a head that is not there.

    Raises:
        BadInput: the folder holds no checkpoint, or one of another architecture.
    """
    family = family_of(folder)
    kind = CLASSIFIERS[family]
    keras.utils.set_random_seed(seed)  # the head's initial weights, equal in every attempt
    backbone = kind.backbone_cls.from_preset(str(folder))
    classifier = kind(backbone=backbone, num_classes=classes, preprocessor=None)
    return Loaded(family, classifier, load_head(family, classifier, folder))


def family_of(folder: Path) -> str:
    """The family of the checkpoint in a folder.

    Raises:
        BadInput: there is no config.json that names one of `CLASSIFIERS`.
    """
    try:
        family = json.loads((folder / "config.json").read_text()).get("model_type")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{folder.name} holds no checkpoint: config.json cannot be read ({type(error).__name__}); give a "
            "folder that save_pretrained has written"
        ) from error
    if family not in CLASSIFIERS:
        raise BadInput(
            f"{folder.name} is a model of type {family!r}; those that can be fine-tuned are "
            f"{', '.join(CLASSIFIERS)}"
        )
    return str(family)


def inputs(family: str, token_ids: Any, padding_mask: Any) -> dict[str, Any]:
    """What the classifier of a family is called with.

    Args:
        family: its `model_type`.
        token_ids: int32 (batch, length).
        padding_mask: int32 (batch, length), 1 for a token and 0 for padding.
    """
    given = {"token_ids": token_ids, "padding_mask": padding_mask}
    if family in ("bert", "albert"):
        given["segment_ids"] = keras.ops.zeros_like(token_ids)  # one text, and so one segment
    return given
