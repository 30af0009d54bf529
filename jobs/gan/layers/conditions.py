"""How a network is told the class of an image."""

import keras


def vector_of(labels: keras.KerasTensor, classes: int, length: int) -> keras.KerasTensor:
    """What is learnt for each class, (batch, length), of labels int32 (batch,).

    A product with one-hot rows rather than a lookup, whose gradient is sparse and slower under XLA.
    """
    one_hot = keras.ops.one_hot(labels, classes)  # (batch, classes)
    return keras.layers.Dense(length, use_bias=False, name="class_vectors")(one_hot)


def asked(latents: keras.KerasTensor, classes: int) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
    """A generator's inputs, and what its layers begin with: latents, and the class's vector if there is one.

    Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784, figure 1.
    """
    if not classes:
        return [latents], latents
    labels = keras.Input((), dtype="int32", name="labels")
    vectors = vector_of(labels, classes, latents.shape[1])  # (batch, latent_dim)
    return [latents, labels], keras.layers.Concatenate(name="both")([latents, vectors])


def judged(
    images: keras.KerasTensor, features: keras.KerasTensor, logits: keras.KerasTensor, classes: int
) -> keras.Model:
    """A discriminator from its last features (batch, length) and logits (batch, 1).

    A conditional one adds the inner product of the class's vector and the features (Miyato and Koyama 2018,
    https://arxiv.org/abs/1802.05637, equation 3).
    """
    if not classes:
        return keras.Model(images, logits, name="discriminator")
    labels = keras.Input((), dtype="int32", name="labels")
    vectors = vector_of(labels, classes, features.shape[1])
    projection = keras.layers.Dot(axes=1, name="projection")([features, vectors])  # (batch, 1)
    both = keras.layers.Add(name="sum")([logits, projection])
    return keras.Model([images, labels], both, name="discriminator")
