"""Convolutions down to an embedding, and up again to an image."""

import keras

from jobs.selfsupervised.networks.shapes import Shape


def build_encoder(shape: Shape, filters: tuple[int, ...], outputs: int, normalise: bool) -> keras.Model:
    """From images (batch, height, width, channels) in [0, 1] to (batch, outputs).

    Args:
        shape: (height, width, channels).
        filters: channels of the convolutions, each of stride 2.
        outputs: length of the result.
        normalise: whether batch normalisation follows each convolution, as it does where views are compared.
    """
    images = keras.Input(shape, name="images")
    hidden = images
    for number, channels in enumerate(filters):
        hidden = keras.layers.Conv2D(
            channels, 3, strides=2, padding="same", use_bias=not normalise, name=f"convolution_{number}"
        )(hidden)
        if normalise:
            hidden = keras.layers.BatchNormalization(momentum=0.9, name=f"normalisation_{number}")(hidden)
        hidden = keras.layers.ReLU(name=f"relu_{number}")(hidden)
    hidden = keras.layers.Flatten(name="flat")(hidden)
    return keras.Model(images, keras.layers.Dense(outputs, name="embedding")(hidden), name="encoder")


def build_decoder(shape: Shape, filters: tuple[int, ...], code: int) -> keras.Model:
    """From codes (batch, code) to logits of pixels (batch, height, width, channels)."""
    height, width, channels = shape
    tall, wide = -(-height // 2 ** len(filters)), -(-width // 2 ** len(filters))
    codes = keras.Input((code,), name="codes")
    hidden = keras.layers.Dense(tall * wide * filters[-1], activation="relu", name="unfold")(codes)
    hidden = keras.layers.Reshape((tall, wide, filters[-1]), name="map")(hidden)
    for number, each in enumerate([*filters[-2::-1], channels]):
        last = number == len(filters) - 1
        hidden = keras.layers.Conv2DTranspose(
            each,
            3,
            strides=2,
            padding="same",
            activation=None if last else "relu",
            name=f"convolution_{number}",
        )(hidden)
    # Sides that are no multiple of the strides come out larger.
    crop = ((0, tall * 2 ** len(filters) - height), (0, wide * 2 ** len(filters) - width))
    return keras.Model(codes, keras.layers.Cropping2D(crop, name="logits")(hidden), name="decoder")
