"""A network from a Hugging Face folder, for images of any size."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.fields import read
from jobs.pretrained.files import CONFIG
from jobs.pretrained.tensors import Weights
from jobs.selfsupervised.networks.shapes import Array
from jobs.transformer.vision.folders.described import ARCHITECTURES, SPECIAL, Described, described
from jobs.transformer.vision.folders.positions import interpolated
from jobs.transformer.vision.folders.swin import old_swin_name, swin_filled, swin_plan
from jobs.transformer.vision.folders.tensors import filled, heads_of, old_name
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan

#: Parts of the names of tensors that have no part in telling classes apart, or follow from others.
UNREAD = ("mask_token", "relative_position_index")


def read_folder(
    folder: Path, size: tuple[int, int], class_names: tuple[str, ...] | None = None, seed: int = 0
) -> Network:
    """The network of a checkpoint; its positions are interpolated where the images are of another size.

    Args:
        folder: of the checkpoint.
        size: of the images, (height, width).
        class_names: that a new head is to tell apart, unless the checkpoint's tells the same ones, in the
            same order; None = those of the checkpoint's head.
        seed: draws a new head.

    Raises:
        BadInput: the folder holds no such checkpoint, or no head where one is needed.
    """
    family = read(folder, CONFIG).get("model_type")
    weights, is_swin = Weights(folder), family == "swin"
    renamed = old_swin_name if is_swin else old_name
    names = {renamed(name): name for name in weights.shapes if not any(each in name for each in UNREAD)}
    tensors = weights.arrays(names)
    reads = 2 if "distillation_classifier.weight" in tensors else 1
    plan = swin_plan(folder, size) if is_swin else _plan(described(folder), size, reads)
    head = heads_of(tensors, reads)
    if class_names is None and head is None:
        raise BadInput(
            f"{folder.name} has no head that tells classes apart; give one of "
            f"{' or '.join(ARCHITECTURES[str(family)])}, or train one with transformer.vision.train"
        )
    network = Network(replace(plan, class_names=class_names or plan.class_names), seed)
    try:
        found = swin_filled(network, tensors) if is_swin else _with_positions(network, folder, tensors)
        for variable, array in found:
            variable.assign(array)
        if head is not None and class_names in (None, plan.class_names):
            network.head.kernel.assign(head[0])
            network.head.bias.assign(head[1])
    except KeyError as error:
        raise BadInput(f"{folder.name} has no tensor {error}; save the model again") from error
    except ValueError as error:
        raise BadInput(f"the tensors of {folder.name} do not fit its config.json ({error})") from error
    return network


def _with_positions(
    network: Network, folder: Path, tensors: Mapping[str, Array]
) -> Iterator[tuple[Any, Array]]:
    """See `filled`; the positions of patches interpolated."""
    about, encoder = described(folder), network.encoder
    learnt = tensors["embeddings.position_embeddings"][0]
    if len(learnt) != encoder.special + about.grid[0] * about.grid[1]:
        raise BadInput(
            f"{folder.name} has {len(learnt)} positions, and its config.json says otherwise: "
            f"{encoder.special} + {about.grid[0]} x {about.grid[1]}"
        )
    patches = interpolated(learnt[encoder.special :], about.grid, (encoder.rows, encoder.columns))
    return filled(network, tensors, np.concatenate([learnt[: encoder.special], patches]))


def _plan(about: Described, size: tuple[int, int], reads: int) -> Plan:
    return Plan(
        architecture="vit",
        shape=(*size, about.channels),
        class_names=about.class_names,
        width=about.width,
        depth=about.depth,
        heads=about.heads,
        inner=about.inner,
        patch=about.patch,
        mean=about.mean,
        deviation=about.deviation,
        special=SPECIAL[about.family],
        reads=reads,
        epsilon=about.epsilon,
    )
