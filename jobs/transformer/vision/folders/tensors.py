"""Which tensor of a folder is which variable of a network."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jobs.selfsupervised.networks.shapes import Array
from jobs.transformer.vision.networks.network import Network

#: What the modules of a block are called: by version 4 of transformers, and by version 5.
_MODULES = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
_NORMS = {"layernorm_before": "attention_norm", "layernorm_after": "dense_norm"}
_DENSE = {"attention.output.dense": "merge", "intermediate.dense": "widen", "output.dense": "narrow"}
_COMPARED = tuple(name for name in _MODULES if name.startswith("attention.attention."))


def old_name(name: str) -> str:
    """A tensor's name without the family's prefix, as version 4 calls it."""
    name = re.sub(r"^(vit|deit)\.", "", name)
    name = re.sub(r"^layers\.(\d+)\.", r"encoder.layer.\1.", name)
    for old, new in _MODULES.items():
        if f".{new}." in name:
            return name.replace(f".{new}.", f".{old}.")
    return name


def filled(network: Network, tensors: Mapping[str, Array], positions: Array) -> Iterator[tuple[Any, Array]]:
    """Each variable of the encoder with its array.

    Args:
        network: of the architecture `vit`.
        tensors: by `old_name`; biases of queries, keys and values may be missing.
        positions: of special tokens and patches, (tokens, width).

    Raises:
        KeyError: a tensor is missing.
    """
    encoder = network.encoder
    patches = tensors["embeddings.patch_embeddings.projection.weight"]  # (width, channels, side, side)
    yield encoder.tokens.project.kernel, patches.transpose(2, 3, 1, 0).reshape(-1, len(patches))
    yield encoder.tokens.project.bias, tensors["embeddings.patch_embeddings.projection.bias"]
    names = ("cls_token", "distillation_token")[: encoder.special]
    yield encoder.first, np.concatenate([tensors[f"embeddings.{name}"][0] for name in names])
    yield encoder.positions, positions
    for number, block in enumerate(encoder.blocks):
        prefix = f"encoder.layer.{number}."
        weights = [tensors[f"{prefix}{name}.weight"].T for name in _COMPARED]
        zero = np.zeros(len(weights[0]), np.float32)
        biases = [tensors.get(f"{prefix}{name}.bias", zero) for name in _COMPARED]
        yield block.compare.kernel, np.concatenate(weights, axis=1)
        yield block.compare.bias, np.concatenate(biases)
        for name, layer in _DENSE.items():
            yield getattr(block, layer).kernel, tensors[f"{prefix}{name}.weight"].T
            yield getattr(block, layer).bias, tensors[f"{prefix}{name}.bias"]
        for name, layer in _NORMS.items():
            yield getattr(block, layer).gamma, tensors[f"{prefix}{name}.weight"]
            yield getattr(block, layer).beta, tensors[f"{prefix}{name}.bias"]
    yield encoder.last.gamma, tensors["layernorm.weight"]
    yield encoder.last.beta, tensors["layernorm.bias"]


def heads_of(tensors: Mapping[str, Array], reads: int) -> tuple[Array, Array] | None:
    """Kernel and bias of the head, as a network has it; None if there is none.

    With two heads their logits are averaged: one product with both tokens side by side.
    """
    names = ("classifier",) if reads == 1 else ("cls_classifier", "distillation_classifier")
    if any(f"{name}.{part}" not in tensors for name in names for part in ("weight", "bias")):
        return None
    kernels = [tensors[f"{name}.weight"].T for name in names]
    biases = [tensors[f"{name}.bias"] for name in names]
    return np.concatenate(kernels) / reads, np.sum(biases, axis=0) / reads


def written(network: Network) -> dict[str, Array]:
    """Every tensor of the encoder by its name in a folder, without the family's prefix."""
    encoder, plan = network.encoder, network.plan
    width, patch, channels = plan.width, plan.patch, plan.shape[2]
    kernel = _array(encoder.tokens.project.kernel).reshape(patch, patch, channels, width)
    first = _array(encoder.first)[:, np.newaxis, np.newaxis]  # (special, 1, 1, width)
    found = {
        "embeddings.patch_embeddings.projection.weight": kernel.transpose(3, 2, 0, 1),
        "embeddings.patch_embeddings.projection.bias": _array(encoder.tokens.project.bias),
        "embeddings.position_embeddings": _array(encoder.positions)[np.newaxis],
        **dict(zip(("embeddings.cls_token", "embeddings.distillation_token"), first, strict=False)),
        "layernorm.weight": _array(encoder.last.gamma),
        "layernorm.bias": _array(encoder.last.beta),
    }
    for number, block in enumerate(encoder.blocks):
        prefix = f"encoder.layer.{number}."
        kernels = np.split(_array(block.compare.kernel), 3, axis=1)
        biases = np.split(_array(block.compare.bias), 3)
        for name, weight, bias in zip(_COMPARED, kernels, biases, strict=True):
            found |= {f"{prefix}{name}.weight": weight.T, f"{prefix}{name}.bias": bias}
        for name, layer in _DENSE.items():
            dense = getattr(block, layer)
            found |= {
                f"{prefix}{name}.weight": _array(dense.kernel).T,
                f"{prefix}{name}.bias": _array(dense.bias),
            }
        for name, layer in _NORMS.items():
            norm = getattr(block, layer)
            found |= {
                f"{prefix}{name}.weight": _array(norm.gamma),
                f"{prefix}{name}.bias": _array(norm.beta),
            }
    return found


def heads_written(network: Network) -> dict[str, Array]:
    """The tensors of the head, or of both, by their names in a folder."""
    kernel, bias = _array(network.head.kernel), _array(network.head.bias)
    if network.plan.reads == 1:
        return {"classifier.weight": kernel.T, "classifier.bias": bias}
    names = ("cls_classifier", "distillation_classifier")
    halves = np.split(2 * kernel, 2)
    return {
        **{f"{name}.weight": half.T for name, half in zip(names, halves, strict=True)},
        **{f"{name}.bias": bias for name in names},
    }


def _array(variable: Any) -> Array:
    return np.asarray(variable.value, np.float32)
