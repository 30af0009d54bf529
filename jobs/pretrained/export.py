"""Writes a classifier as a folder that transformers loads with PyTorch, and KerasHub with Keras."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from jobs.pretrained.card import Card
from jobs.pretrained.families import FAMILIES, Array, Family, encoder_tensors, head_tensors
from jobs.pretrained.files import CONFIG, TOKENIZER_FILES, WEIGHTS
from jobs.pretrained.tensors import Weights

CARD = "README.md"
#: What the config.json that a training began with says of itself, and is not so of what it has come to.
STALE = (
    *("num_labels", "_num_labels", "torch_dtype", "_name_or_path", "finetuning_task", "task_specific_params"),
    *("custom_pipelines", "pruned_heads", "quantization_config", "auto_map"),
)


def export(classifier: Any, source: Path, folder: Path, class_names: Sequence[str], card: Card) -> None:
    """Writes config.json, model.safetensors, the tokenizer's files and a model card.

    Args:
        classifier: a KerasHub classifier (`keras_hub.models.TextClassifier`) of one of `FAMILIES`.
        source: the folder that the training began with: its config.json and its tokenizer.
        folder: where to write; made if it is not there.
        class_names: by number.
        card: what the model card says.
    """
    config = json.loads((source / CONFIG).read_text())
    family = config["model_type"]
    said = config_of(family, classifier.backbone, class_names)
    write_folder(folder, source, said, tensors_of(family, classifier), card)


def write_folder(
    folder: Path, source: Path, said: Mapping[str, Any], tensors: dict[str, Array], card: Card | str
) -> None:
    """Writes a checkpoint and its model card.

    Args:
        folder: where to write; made if it is not there.
        source: the folder that the training began with: its config.json and its tokenizer.
        said: what config.json has to say otherwise than the source's; None leaves a field out.
        tensors: of the checkpoint, by name.
        card: what the model card says, or its Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / CONFIG).read_text())
    kept = {name: value for name, value in config.items() if name not in STALE}
    config = {
        name: value for name, value in {**kept, **said}.items() if name not in said or value is not None
    }
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    (folder / CARD).write_text(card if isinstance(card, str) else card.text(), encoding="utf-8")


def tensors_of(model_type: str, classifier: Any) -> dict[str, Array]:
    """Every tensor of the checkpoint by its name, float32."""
    tensors = encoder_file(model_type, classifier.backbone)
    return tensors | {tensor.name: tensor.to_file() for tensor in head_tensors(model_type, classifier)}


def encoder_file(model_type: str, backbone: Any, *, pooler: bool = True) -> dict[str, Array]:
    """Every tensor of an encoder by its name, float32.

    Args:
        model_type: the family's name.
        backbone: a KerasHub backbone of that family.
        pooler: whether the pooler of BERT and ALBERT is among them.
    """
    written = encoder_tensors(model_type, backbone, pooler=pooler)
    tensors = {tensor.name: tensor.to_file() for tensor in written}
    if FAMILIES[model_type].reserved:
        # KerasHub has none: they are zero in RoBERTa, and part of the positions in XLM-RoBERTa.
        types = f"{FAMILIES[model_type].prefix}embeddings.token_type_embeddings.weight"
        tensors[types] = np.zeros((1, backbone.hidden_dim), np.float32)
    return tensors


def config_of(model_type: str, backbone: Any, class_names: Sequence[str]) -> dict[str, Any]:
    """What config.json has to say otherwise than the one that the training began with.

    KerasHub computes one form of the activation for a family, whatever the checkpoint was trained with; the
    weights were fine-tuned with that one, so the exported model names it.
    """
    family = FAMILIES[model_type]
    return {
        "architectures": [family.architecture],
        "id2label": {str(number): name for number, name in enumerate(class_names)},
        "label2id": {name: number for number, name in enumerate(class_names)},
        "problem_type": "single_label_classification",
        **encoder_config(model_type, backbone),
    }


def encoder_config(model_type: str, backbone: Any) -> dict[str, Any]:
    """What config.json has to say of the encoder."""
    family = FAMILIES[model_type]
    return {
        "model_type": model_type,
        "dtype": "float32",
        "vocab_size": backbone.vocabulary_size,
        "max_position_embeddings": backbone.max_sequence_length + family.reserved,
        **_settings(model_type, family, backbone),
    }


def _settings(model_type: str, family: Family, backbone: Any) -> dict[str, Any]:
    if model_type == "distilbert":
        return {
            "activation": family.activation,
            "dim": backbone.hidden_dim,
            "hidden_dim": backbone.intermediate_dim,
            "n_heads": backbone.num_heads,
            "n_layers": backbone.num_layers,
        }
    settings = {
        "hidden_act": family.activation,
        "layer_norm_eps": backbone.embeddings_layer_norm.epsilon,
        "hidden_size": backbone.hidden_dim,
        "intermediate_size": backbone.intermediate_dim,
        "num_attention_heads": backbone.num_heads,
        "num_hidden_layers": backbone.num_layers,
        "type_vocab_size": 1 if family.reserved else backbone.num_segments,
    }
    if model_type == "albert":
        settings |= {
            "embedding_size": backbone.embedding_dim,
            "num_hidden_groups": backbone.num_groups,
            "inner_group_num": backbone.num_inner_repetitions,
        }
    return settings


def load_head(model_type: str, classifier: Any, weights: Weights) -> bool:
    """Fills the head of a classifier from a checkpoint; False if it holds no such head.

    Then nothing is filled. A checkpoint of an encoder alone, or of another number of classes, has none.

    Raises:
        BadInput: the head is there and cannot be read.
    """
    head = {tensor.name: tensor for tensor in head_tensors(model_type, classifier)}
    if any(weights.shapes.get(name) != tensor.to_file().shape for name, tensor in head.items()):
        return False
    for name, array in weights.arrays({name: name for name in head}).items():
        head[name].to_variable(array)
    return True
