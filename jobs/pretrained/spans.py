"""Checkpoints in Hugging Face's format, as Keras models with a head that finds answers in a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from jobs.errors import BadInput
from jobs.pretrained.card import Card
from jobs.pretrained.export import encoder_config, encoder_file, write_folder
from jobs.pretrained.families import FAMILIES, Array, Tensor
from jobs.pretrained.fields import config_of, short
from jobs.pretrained.models import load_encoder
from jobs.pretrained.tensors import Weights

#: What the head is called in a checkpoint: a dense layer of two outputs, begin and end.
HEAD = "qa_outputs"


@dataclass(frozen=True)
class LoadedSpans:
    """A checkpoint that finds answers, ready to be trained or asked.

    Attributes:
        family: its `model_type`.
        backbone: the KerasHub encoder.
        head: a dense layer of two units: logits of each token to begin an answer, and to end one.
        model: both, and no weight that has no part in it; outputs float32 (batch, length, 2).
        rate: of the dropout before the head.
        has_head: whether the head came with the checkpoint; a fresh one has to be trained.
    """

    family: str
    backbone: Any
    head: Any
    model: keras.Model
    rate: float
    has_head: bool


def load_spans(folder: Path, seed: int = 0) -> LoadedSpans:
    """Reads an encoder, and the head as well if the folder has one.

    Args:
        folder: config.json and model.safetensors, as the library transformers writes them.
        seed: draws the weights of a head that is not there.

    Raises:
        BadInput: the folder holds no checkpoint, or one that is not computed here as it says of itself.
    """
    keras.utils.set_random_seed(seed)
    family, backbone = load_encoder(folder)
    config = config_of(folder)
    head = keras.layers.Dense(
        2, kernel_initializer=keras.initializers.RandomNormal(stddev=0.02, seed=seed), name=HEAD
    )
    outputs = backbone.output
    hidden = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
    model = keras.Model(backbone.input, head(hidden), name="spans")
    # As the library transformers has it: DistilBERT alone drops before the head.
    rate = float(config.get("qa_dropout", 0.1)) if family == "distilbert" else 0.0
    return LoadedSpans(family, backbone, head, model, rate, _load_head(folder, family, head))


def check_answers(folder: Path, has_head: bool) -> None:
    """Refuses a checkpoint that finds no answers.

    Raises:
        BadInput: it has no head for that.
    """
    if has_head:
        return
    config = config_of(folder)
    wanted = FAMILIES[config["model_type"]].answering
    raise BadInput(
        f"{folder.name} is a {short(config.get('architectures'))} and has no head that finds answers "
        f"({HEAD} of a {wanted}); train it first with transformer.answering.train, and give that job as "
        "'model'"
    )


def export_spans(loaded: LoadedSpans, source: Path, folder: Path, card: Card) -> None:
    """Writes config.json, model.safetensors, the tokenizer's files and a model card.

    Args:
        loaded: with weights to be written.
        source: the folder that the training began with: its config.json and its tokenizer.
        folder: where to write; made if it is not there.
        card: what the model card says.
    """
    said = {
        **encoder_config(loaded.family, loaded.backbone),
        "architectures": [FAMILIES[loaded.family].answering],
        # Two outputs that are no classes: what a classifier has said of its own is not so of them.
        **dict.fromkeys(("id2label", "label2id", "problem_type")),
    }
    tensors = encoder_file(loaded.family, loaded.backbone, pooler=False)
    tensors |= {tensor.name: tensor.to_file() for tensor in _head_tensors(loaded.head)}
    write_folder(folder, source, said, tensors, card)


def _head_tensors(head: Any) -> Iterator[Tensor]:
    yield Tensor(f"{HEAD}.weight", head.kernel, inputs=1)
    yield Tensor(f"{HEAD}.bias", head.bias)


def _load_head(folder: Path, family: str, head: Any) -> bool:
    weights, architectures = Weights(folder), config_of(folder).get("architectures")
    tensors: dict[str, Tensor] = {tensor.name: tensor for tensor in _head_tensors(head)}
    shapes: dict[str, tuple[int, ...]] = {name: _shape(tensor.to_file()) for name, tensor in tensors.items()}
    if any(weights.shapes.get(name) != shape for name, shape in shapes.items()):
        return False
    if architectures and FAMILIES[family].answering not in architectures:
        return False
    for name, array in weights.arrays({name: name for name in tensors}).items():
        tensors[name].to_variable(array)
    return True


def _shape(array: Array) -> tuple[int, ...]:
    return tuple(array.shape)
