"""A network from a Hugging Face folder, for images of any size."""

from pathlib import Path

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.tensors import Weights
from jobs.transformer.vision.folders.described import ARCHITECTURES, SPECIAL, Described, described
from jobs.transformer.vision.folders.positions import interpolated
from jobs.transformer.vision.folders.tensors import filled, heads_of, old_name
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan


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
    about, weights = described(folder), Weights(folder)
    names = {old_name(name): name for name in weights.shapes if "mask_token" not in name}
    tensors = weights.arrays(names)
    reads = 2 if "distillation_classifier.weight" in tensors else 1
    head = heads_of(tensors, reads)
    if class_names is None and head is None:
        architectures = " or ".join(ARCHITECTURES[about.family])
        raise BadInput(
            f"{folder.name} has no head that tells classes apart; give one of {architectures}, or train one "
            "with transformer.vision.train"
        )
    network = Network(_plan(about, size, class_names or about.class_names, reads), seed)
    special = SPECIAL[about.family]
    encoder = network.encoder
    try:
        learnt = tensors["embeddings.position_embeddings"][0]
        if len(learnt) != special + about.grid[0] * about.grid[1]:
            raise BadInput(
                f"{folder.name} has {len(learnt)} positions, and its config.json says otherwise: "
                f"{special} + {about.grid[0]} x {about.grid[1]}"
            )
        patches = interpolated(learnt[special:], about.grid, (encoder.rows, encoder.columns))
        for variable, array in filled(network, tensors, np.concatenate([learnt[:special], patches])):
            variable.assign(array)
        if head is not None and class_names in (None, about.class_names):
            network.head.kernel.assign(head[0])
            network.head.bias.assign(head[1])
    except KeyError as error:
        raise BadInput(f"{folder.name} has no tensor {error}; save the model again") from error
    except ValueError as error:
        raise BadInput(f"the tensors of {folder.name} do not fit its config.json ({error})") from error
    return network


def _plan(about: Described, size: tuple[int, int], class_names: tuple[str, ...], reads: int) -> Plan:
    return Plan(
        architecture="vit",
        shape=(*size, about.channels),
        class_names=class_names,
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
