"""Checkpoints in Hugging Face's format, as Keras models with a head that tells classes apart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub
from safetensors import SafetensorError, safe_open

from jobs.errors import BadInput
from jobs.transformer.export import WEIGHTS, labels_of, load_head
from jobs.transformer.hugging_face import FAMILIES

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


def load_classifier(folder: Path) -> tuple[Loaded, tuple[str, ...]]:
    """Reads a classifier that has been trained, and the names of its classes.

    Raises:
        BadInput: the folder holds no checkpoint, or one without a head.
    """
    names = class_names_of(folder)
    return load(folder, len(names)), names


def class_names_of(folder: Path) -> tuple[str, ...]:
    """The classes of a checkpoint, by number.

    Raises:
        BadInput: it tells none apart, or more or fewer than its config.json names.
    """
    head = list(FAMILIES[family_of(folder)].head)[-1] + ".weight"
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            count = file.get_slice(head).get_shape()[0] if head in file.keys() else 0  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadInput(f"the weights of {folder.name} cannot be read ({error}); save them again") from error
    if not count:
        raise BadInput(
            f"{folder.name} is an encoder without a head that tells classes apart; fine-tune it first, with "
            "transformer.finetune, and give that job as 'model'"
        )
    # Two classes that have no names of their own are not in config.json.
    names = labels_of(json.loads((folder / "config.json").read_text())) or [
        f"LABEL_{n}" for n in range(count)
    ]
    if len(names) != count:
        raise BadInput(
            f"the head of {folder.name} has {count} outputs, and its config.json names {len(names)} classes; "
            "mend its id2label"
        )
    return tuple(names)


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
