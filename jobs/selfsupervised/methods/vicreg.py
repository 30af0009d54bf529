"""Two views of each image, without negatives (VICReg: Bardes et al. 2022, https://arxiv.org/abs/2105.04906)."""

import tensorflow as tf

from jobs.selfsupervised.methods.contrastive import TwoViews
from jobs.selfsupervised.methods.losses import vicreg
from jobs.selfsupervised.networks.augmentations import Seed
from jobs.selfsupervised.networks.shapes import Shape
from jobs.selfsupervised.spec import TrainSelfSupervised

#: Weights of invariance, variance and covariance: the paper's, section 4.2.
WEIGHTS = (25.0, 25.0, 1.0)


class Vicreg(TwoViews):
    """Draws the views of one image together, while each dimension keeps its spread and tells its own."""

    def __init__(self, spec: TrainSelfSupervised, shape: Shape) -> None:
        super().__init__(spec, shape, ("loss", "invariance", "variance", "covariance"))

    def losses(self, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """The weighted sum of the three terms, and each of them."""
        terms = vicreg(*self.projections(images, seed, training))
        loss = sum(weight * term for weight, term in zip(WEIGHTS, terms, strict=True))
        return {"loss": loss, **dict(zip(self.metric_names[1:], terms, strict=True))}
