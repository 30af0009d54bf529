"""Pictures of what a model has learnt, from fixed examples."""

import numpy as np

from jobs.pictures import grid
from jobs.probes import unit
from jobs.selfsupervised.methods.learner import Learner
from jobs.selfsupervised.networks.shapes import Array

#: Examples in a row of a strip.
EXAMPLES = 10
#: Nearest images shown below each example of a model that does not reconstruct.
NEAREST = 3


def strip(model: Learner, images: Array, gallery: Array) -> bytes:
    """Examples over what the model makes of them, as a PNG file.

    A model that reconstructs: originals, what it saw if that is something else, reconstructions. One that
    does not: originals over the images of the gallery that lie nearest to them.

    Args:
        model: in training or trained.
        images: the examples, uint8 (count, height, width, channels).
        gallery: where neighbours are looked for, of the same shape; None of them an example.
    """
    shown = images[:EXAMPLES].astype(np.float32) / 255.0
    if model.reconstructs:
        rows = [shown, *model.reconstruct(images[:EXAMPLES]).values()]
    else:
        similarities = unit(model.embed(images[:EXAMPLES])) @ unit(model.embed(gallery)).T
        nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :NEAREST]
        rows = [shown, *(gallery[column].astype(np.float32) / 255.0 for column in nearest.T)]
    return grid(np.concatenate(rows), columns=len(shown))
