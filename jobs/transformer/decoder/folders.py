"""Decoders out of Hugging Face folders, and into them."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.files import CHAT_TEMPLATE, CONFIG, GENERATION_CONFIG, TOKENIZER_FILES, WEIGHTS
from jobs.pretrained.tensors import Weights
from jobs.transformer.decoder.families import ARCHITECTURES, HEAD, layout_of, pieces, prefix_of, tensors_of
from jobs.transformer.decoder.layout import Array, Layout

#: What goes along unchanged: the tokenizer's files, and how the model's makers want it to be sampled.
ALONG = (*TOKENIZER_FILES, GENERATION_CONFIG, CHAT_TEMPLATE)


@dataclass(frozen=True)
class Decoder:
    """A decoder as it lies in a folder.

    Attributes:
        layout: its sizes and ways.
        weights: float32 by the names of `Layout.shapes`.
    """

    layout: Layout
    weights: Mapping[str, Array]


def config_of(folder: Path) -> dict[str, Any]:
    """The content of config.json.

    Raises:
        BadInput: it is none.
    """
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{CONFIG} of {folder.name} cannot be read ({error}); save the model again") from error
    if not isinstance(found, dict):
        raise BadInput(f"{CONFIG} of {folder.name} is no JSON object; save the model again")
    return found


def read(folder: Path) -> Decoder:
    """The decoder in a folder.

    Raises:
        BadInput: it is of another family, or a tensor is missing, of another shape, or not to be read.
    """
    layout = layout_of(config_of(folder), folder.name)
    there = Weights(folder)
    wanted = dict(layout.shapes())
    found: dict[str, Array] = {}
    for piece in pieces(layout):
        names = [_spelt(name, layout.family, there, folder) for name in piece.tensors]
        arrays = there.arrays({name: name for name in names})
        parts = [arrays[name].T if piece.turned else arrays[name] for name in names]
        shape = wanted[piece.weight]
        widths = piece.widths or (shape[-1],)
        for name, part, width in zip(names, parts, widths, strict=True):
            if part.shape != (*shape[:-1], width):
                raise BadInput(
                    f"the tensor {name!r} in {WEIGHTS} of {folder.name} has the shape "
                    f"{list(arrays[name].shape)}, which is not what config.json says"
                )
        found[piece.weight] = np.ascontiguousarray(np.concatenate(parts, axis=-1))
    return Decoder(layout, found)


def _spelt(name: str, family: str, there: Weights, folder: Path) -> str:
    """How the folder spells a tensor: with the prefix, or without it as bare models have it."""
    spelt = [name] if name == HEAD else [prefix_of(family) + name, name]
    for each in spelt:
        if each in there.shapes:
            return each
    raise BadInput(
        f"{WEIGHTS} of {folder.name} has no tensor {spelt[0]!r}, which a {family} consists of; save the "
        "whole model"
    )


def write(decoder: Decoder, config: Mapping[str, Any], folder: Path, source: Path | None = None) -> None:
    """Writes config.json and model.safetensors, and what goes along unchanged with the model.

    Args:
        decoder: what to write.
        config: of the folder that it began with.
        folder: where to write; made if it is not there.
        source: has the tokenizer.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors_of(decoder.layout, decoder.weights), folder / WEIGHTS, {"format": "pt"})
    stale = ("torch_dtype", "_name_or_path", "auto_map")
    said = {name: value for name, value in config.items() if name not in stale}
    said |= {"architectures": [ARCHITECTURES[decoder.layout.family]], "dtype": "float32"}
    (folder / CONFIG).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n")
    for name in ALONG if source else ():
        if source is not None and (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
