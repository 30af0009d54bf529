"""Swin in Hugging Face's format: what config.json says, and which tensor is which variable."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.fields import read
from jobs.pretrained.files import CONFIG
from jobs.selfsupervised.networks.shapes import Array
from jobs.transformer.vision.folders.described import class_names_of, normalisation, pair, whole
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan

#: What the parts of a block are called by version 5 of transformers, and by version 4.
_OLD = {
    "attention.q_proj": "attention.self.query",
    "attention.k_proj": "attention.self.key",
    "attention.v_proj": "attention.self.value",
    "attention.relative_position_bias.relative_position_bias_table": (
        "attention.self.relative_position_bias_table"
    ),
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
_DENSE = {"attention.output.dense": "merge", "intermediate.dense": "widen", "output.dense": "narrow"}
_NORMS = {"layernorm_before": "attention_norm", "layernorm_after": "dense_norm"}
_COMPARED = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))
_TABLE = "attention.self.relative_position_bias_table"


def old_swin_name(name: str) -> str:
    """A tensor's name without the family's prefix, as version 4 calls it."""
    name = re.sub(r"^swin\.", "", name)
    for new, old in _OLD.items():
        name = re.sub(rf"\.{re.escape(new)}(?=\.|$)", f".{old}", name)
    return name


def swin_plan(folder: Path, size: tuple[int, int]) -> Plan:
    """What the files of a folder say, for images of a size.

    Raises:
        BadInput: it has what is not computed here, or the images are too small for its windows.
    """
    config = read(folder, CONFIG)
    if (activation := config.get("hidden_act", "gelu")) != "gelu":
        raise BadInput(f"hidden_act in {CONFIG} of {folder.name} is {activation!r}; computed is 'gelu'")
    if config.get("use_absolute_embeddings"):
        raise BadInput(f"use_absolute_embeddings in {CONFIG} of {folder.name} is not computed here")
    depths, heads = config.get("depths", [2, 2, 6, 2]), config.get("num_heads", [3, 6, 12, 24])
    if not isinstance(depths, list) or not isinstance(heads, list) or len(depths) != len(heads):
        raise BadInput(f"depths and num_heads in {CONFIG} of {folder.name} should be lists of one length")
    patch, window = pair(config, "patch_size", 4, folder)[0], whole(config, "window_size", folder)
    least = (window - 1) * 2 ** (len(depths) - 1) * patch + 1  # so that the last stage has a whole window
    if min(size) < least:
        raise BadInput(
            f"images of {size[0]} x {size[1]} pixels are too small for {folder.name}, whose windows have "
            f"{window} x {window} tokens in its last stage, too; upload them with --size {least}x{least}, or "
            "larger"
        )
    width = whole(config, "embed_dim", folder) * 2 ** (len(depths) - 1)
    mean, deviation = normalisation(folder)
    return Plan(
        architecture="swin",
        shape=(*size, int(config.get("num_channels", 3))),
        class_names=class_names_of(config, folder),
        width=width,
        inner=int(width * config.get("mlp_ratio", 4.0)),
        patch=patch,
        mean=mean,
        deviation=deviation,
        epsilon=float(config.get("layer_norm_eps", 1e-5)),
        depths=tuple(depths),
        stage_heads=tuple(heads),
        window=window,
    )


def _layers(network: Network) -> Iterator[tuple[str, Any]]:
    """Dense layers and normalisations by their names in a folder, but for queries, keys and values."""
    encoder = network.encoder
    yield "embeddings.norm", encoder.first_norm
    for prefix, block in _blocks(network):
        for name, layer in {**_DENSE, **_NORMS}.items():
            yield f"{prefix}{name}", getattr(block, layer)
    for number, merge in enumerate(encoder.merges):
        yield f"encoder.layers.{number}.downsample.reduction", merge.reduce
        yield f"encoder.layers.{number}.downsample.norm", merge.norm
    yield "layernorm", encoder.last


def _blocks(network: Network) -> Iterator[tuple[str, Any]]:
    for number, stage in enumerate(network.encoder.stages):
        for place, block in enumerate(stage.blocks):
            yield f"encoder.layers.{number}.blocks.{place}.", block


def swin_filled(network: Network, tensors: Mapping[str, Array]) -> Iterator[tuple[Any, Array]]:
    """Each variable of the encoder with its array, of tensors by `old_swin_name`.

    Raises:
        KeyError: a tensor is missing.
    """
    patches = tensors["embeddings.patch_embeddings.projection.weight"]
    yield network.encoder.tokens.project.kernel, patches.transpose(2, 3, 1, 0).reshape(-1, len(patches))
    yield network.encoder.tokens.project.bias, tensors["embeddings.patch_embeddings.projection.bias"]
    for name, layer in _layers(network):
        weight = tensors[f"{name}.weight"]
        if hasattr(layer, "gamma"):
            yield layer.gamma, weight
            yield layer.beta, tensors[f"{name}.bias"]
            continue
        yield layer.kernel, weight.T
        if layer.bias is not None:
            yield layer.bias, tensors[f"{name}.bias"]
    for prefix, block in _blocks(network):
        weights = [tensors[f"{prefix}{name}.weight"].T for name in _COMPARED]
        zero = np.zeros(len(weights[0]), np.float32)
        biases = [tensors.get(f"{prefix}{name}.bias", zero) for name in _COMPARED]
        yield block.compare.kernel, np.concatenate(weights, axis=1)
        yield block.compare.bias, np.concatenate(biases)
        yield block.nearness, tensors[f"{prefix}{_TABLE}"]


def swin_written(network: Network) -> dict[str, Array]:
    """Every tensor of the encoder by its name in a folder, without the family's prefix."""
    plan, project = network.plan, network.encoder.tokens.project
    kernel = _array(project.kernel).reshape(plan.patch, plan.patch, plan.shape[2], -1)
    found = {
        "embeddings.patch_embeddings.projection.weight": kernel.transpose(3, 2, 0, 1),
        "embeddings.patch_embeddings.projection.bias": _array(project.bias),
    }
    for name, layer in _layers(network):
        if hasattr(layer, "gamma"):
            found |= {f"{name}.weight": _array(layer.gamma), f"{name}.bias": _array(layer.beta)}
            continue
        found[f"{name}.weight"] = _array(layer.kernel).T
        if layer.bias is not None:
            found[f"{name}.bias"] = _array(layer.bias)
    for prefix, block in _blocks(network):
        kernels = np.split(_array(block.compare.kernel), 3, axis=1)
        biases = np.split(_array(block.compare.bias), 3)
        for name, weight, bias in zip(_COMPARED, kernels, biases, strict=True):
            found |= {f"{prefix}{name}.weight": weight.T, f"{prefix}{name}.bias": bias}
        found[f"{prefix}{_TABLE}"] = _array(block.nearness)
    return found


def swin_config(plan: Plan) -> dict[str, Any]:
    """What config.json says of the encoder."""
    return {
        "patch_size": plan.patch,
        "embed_dim": plan.width // 2 ** (len(plan.depths) - 1),
        "depths": list(plan.depths),
        "num_heads": list(plan.stage_heads),
        "window_size": plan.window,
        "mlp_ratio": plan.inner / plan.width,
        "drop_path_rate": 0.0,
        "use_absolute_embeddings": False,
        # What tools that know no stages look at.
        "hidden_size": plan.width,
        "num_layers": len(plan.depths),
    }


def _array(variable: Any) -> Array:
    return np.asarray(variable.value, np.float32)
