"""Random crops, mirroring and RandAugment (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719).

Every change of an image's geometry becomes part of one affine map, so that its pixels are read once; then
come changes of its light. All images of a batch are changed at once: an operation that was not drawn for an
image gets the strength at which it changes nothing.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from jobs.selfsupervised.networks.augmentations import Seed, fork, uniform

#: The operations of RandAugment here, each with what magnitude 10 comes to. Equalisation and sharpening,
#: which cost more than the others together, are not among them. Those that invert or coarsen light are for
#: colours: of writing and scans, which are grey, little would be left.
GEOMETRY = {"turn": math.radians(30), "shear_x": 0.3, "shear_y": 0.3, "right": 0.2, "down": 0.2}
LIGHT = {"brightness": 0.9, "contrast": 0.9}
COLOURS = {"colour": 0.9, "solarise": 1.0, "posterise": 1.0, "spread": 1.0}


class Geometry(NamedTuple):
    """Where the pixels of each image come from; each float32 (batch,).

    Attributes:
        turn: radians.
        shear_x: of x by y.
        shear_y: of y by x.
        right: shift, as a share of the width.
        down: shift, as a share of the height.
        tall: side of the part of the image that is shown, as a share of the height.
        wide: the same of the width; negative mirrors.
    """

    turn: tf.Tensor
    shear_x: tf.Tensor
    shear_y: tf.Tensor
    right: tf.Tensor
    down: tf.Tensor
    tall: tf.Tensor
    wide: tf.Tensor


def changed(
    images: tf.Tensor, seed: Seed, crop: float, flip: bool, operations: int, magnitude: float
) -> tf.Tensor:
    """Images float32 (batch, height, width, channels) in [0, 1], changed at random.

    Args:
        images: what to change.
        seed: int64 (2,), the only source of random numbers.
        crop: each side shows at least 1 - crop of the image's, from anywhere in it; 0 = no crops.
        flip: whether half of the images are mirrored.
        operations: that RandAugment draws for each image, one after the other; 0 = none.
        magnitude: of all of them, from 0 to 10.
    """
    batch, channels = images.shape[0], images.shape[3]
    offered = {"identity": 0.0, **GEOMETRY, **LIGHT, **(COLOURS if channels == 3 else {})}
    drawn = strengths(batch, seed, operations, magnitude, offered)
    sides = 1.0 - crop * uniform((2, batch), fork(seed, 1))  # (2, batch)
    places = (1.0 - sides) / 2.0 * uniform((2, batch), fork(seed, 2), -1.0, 1.0)
    mirrored = tf.where(uniform((batch,), fork(seed, 3)) < (0.5 if flip else 0.0), -1.0, 1.0)
    where = Geometry(
        turn=drawn["turn"],
        shear_x=drawn["shear_x"],
        shear_y=drawn["shear_y"],
        right=drawn["right"] + places[1],
        down=drawn["down"] + places[0],
        tall=sides[0],
        wide=sides[1] * mirrored,
    )
    if crop or flip or operations:
        images = moved(images, where)
    return lit(images, drawn) if operations else images


def strengths(
    batch: int, seed: Seed, operations: int, magnitude: float, offered: Mapping[str, float]
) -> dict[str, tf.Tensor]:
    """How strong each operation is for each image, float32 (batch,): 0 where it was not drawn.

    An operation that is drawn twice may be twice as strong; the sign is drawn, too.

    Args:
        batch: images.
        seed: int64 (2,).
        operations: drawn for each image.
        magnitude: from 0 to 10.
        offered: by name, each with what magnitude 10 comes to.
    """
    found = {name: tf.zeros((batch,)) for name in offered}
    for number in range(operations):
        chosen = tf.cast(uniform((batch,), fork(seed, 8 + number)) * len(offered), tf.int32)
        sign = tf.where(uniform((batch,), fork(seed, 16 + number)) < 0.5, -1.0, 1.0)
        for place, (name, full) in enumerate(offered.items()):
            found[name] += tf.where(chosen == place, sign * full * magnitude / 10.0, 0.0)
    return found


def moved(images: tf.Tensor, where: Geometry) -> tf.Tensor:
    """Images read from where the geometry says, bilinearly; beyond the edges they are black."""
    _, height, width, _ = images.shape
    cos, sin = tf.cos(where.turn), tf.sin(where.turn)
    # Around the centre, from an output pixel (x, y): sides, then shear, then turn.
    a, b = cos * where.wide - sin * where.shear_y, cos * where.shear_x - sin * where.tall
    c, d = sin * where.wide + cos * where.shear_y, sin * where.shear_x + cos * where.tall
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    e = x - a * x - b * y + where.right * width
    f = y - c * x - d * y + where.down * height
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, e, c, d, f, zero, zero], axis=1),  # (batch, 8)
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def lit(images: tf.Tensor, drawn: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Images with their light changed, first brightness and contrast, then colours; in [0, 1] again."""
    by = {name: strength[:, tf.newaxis, tf.newaxis, tf.newaxis] for name, strength in drawn.items()}
    images *= 1.0 + by["brightness"]
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = mean + (images - mean) * (1.0 + by["contrast"])
    if "colour" not in by:
        return tf.clip_by_value(images, 0.0, 1.0)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (1.0 + by["colour"])
    images = tf.clip_by_value(images, 0.0, 1.0)
    images = tf.where(images > 1.0 - 0.5 * tf.abs(by["solarise"]), 1.0 - images, images)
    levels = tf.round(2.0 ** (8.0 - 5.0 * tf.minimum(tf.abs(by["posterise"]), 1.0))) - 1.0
    images = tf.where(by["posterise"] != 0.0, tf.round(images * levels) / levels, images)
    low = tf.reduce_min(images, axis=(1, 2), keepdims=True)
    high = tf.reduce_max(images, axis=(1, 2), keepdims=True)
    full = (images - low) / tf.maximum(high - low, 1e-3)
    return tf.where(by["spread"] != 0.0, full, images)
