"""Images as a trained model takes them."""

import numpy as np

from jobs.datasets.images.image_set import Array
from jobs.errors import BadInput

#: How bright red, green and blue look: ITU-R BT.601, as Pillow has it.
BRIGHTNESS = np.array([0.299, 0.587, 0.114])


def fitted(images: Array, shape: tuple[int, int, int], dataset: str) -> Array:
    """Images uint8 (count, height, width, channels) with the model's channels.

    Grey becomes three equal colours, and colours become their brightness.

    Raises:
        BadInput: they are of another height or width.
    """
    if images.shape[1:3] != shape[:2]:
        size = "{} x {}".format(*images.shape[1:3])
        raise BadInput(
            f"the images of {dataset!r} are {size} pixels, and the model takes {shape[0]} x {shape[1]}; "
            f"upload them with --size {shape[0]}x{shape[1]}"
        )
    if images.shape[3] == shape[2]:
        return images
    if shape[2] == 3:
        return images.repeat(3, axis=3)
    grey: Array = np.rint(images @ BRIGHTNESS)[..., np.newaxis].astype(np.uint8)
    return grey
