"""Two views of each image, told from all others (SimCLR: Chen et al. 2020, https://arxiv.org/abs/2002.05709)."""

import keras
import tensorflow as tf

from jobs.selfsupervised.methods.learner import Learner
from jobs.selfsupervised.methods.losses import nt_xent
from jobs.selfsupervised.networks.augmentations import Seed, Views
from jobs.selfsupervised.networks.convolutions import build_encoder
from jobs.selfsupervised.networks.shapes import Shape
from jobs.selfsupervised.spec import TrainSelfSupervised


class TwoViews(Learner):
    """An encoder and a projection head, which sees two random views of each image.

    The embedding is what the encoder gives; the head's output, which has forgotten what the views differ in
    (section 4.2 of the paper), is only for the loss.
    """

    fewest = 2  # one image has nothing to differ from

    def __init__(
        self, spec: TrainSelfSupervised, shape: Shape, metric_names: tuple[str, ...] = ("loss",)
    ) -> None:
        super().__init__(spec, shape, metric_names)
        flip = shape[2] == 3 if spec.flip is None else spec.flip
        self.views = Views(spec.augment, flip, name="views")
        dim = self.recipe.embedding_dim
        self.encoder = build_encoder(shape, spec.filters, dim, normalise=True)
        self.head = build_head(dim, spec.projection_dim)

    def projections(self, images: tf.Tensor, seed: Seed, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Projections of two views of each image, float32 (batch, projection_dim) each."""
        first = self.views(images, tf.stack([seed[0], 2 * seed[1]]))
        second = self.views(images, tf.stack([seed[0], 2 * seed[1] + 1]))
        both = tf.concat([first, second], axis=0)  # (2 * batch, height, width, channels)
        projected = self.head(self.encoder(both, training=training), training=training)
        first, second = tf.split(projected, 2)
        return first, second


class Contrastive(TwoViews):
    """Draws the views of one image together and pushes those of all others away."""

    def losses(self, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """NT-Xent."""
        first, second = self.projections(images, seed, training)
        return {"loss": nt_xent(first, second, self.spec.temperature)}


def build_head(embedding: int, projection: int) -> keras.Model:
    """From embeddings (batch, embedding) to projections (batch, projection): one hidden layer."""
    embeddings = keras.Input((embedding,), name="embeddings")
    hidden = keras.layers.Dense(projection, use_bias=False, name="hidden")(embeddings)
    hidden = keras.layers.BatchNormalization(momentum=0.9, name="normalisation")(hidden)
    hidden = keras.layers.ReLU(name="relu")(hidden)
    return keras.Model(embeddings, keras.layers.Dense(projection, name="projection")(hidden), name="head")
