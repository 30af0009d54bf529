"""How good a generator is while it is still being trained: one look at some of its images."""

from dataclasses import dataclass

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.gan.measures.features import feature_network
from jobs.gan.measures.metrics import frechet_distance, moments

#: Real images, and samples, of a look; as many as half the data set has, if that is fewer.
MOST = 2_000


@dataclass(frozen=True)
class Look:
    """What a look at some images has shown.

    Attributes:
        frechet_distance: to the real images; compare it with `Judge.floor`.
        spread: total variance of the features over that of the real images; near 0 means that the generator
            has collapsed: all its images are alike.
    """

    frechet_distance: float
    spread: float


class Judge:
    """Compares images with those of a data set.

    Its first use on a data set trains the feature network, which takes some seconds to a minute.

    Args:
        data: the real images, at least 2.
        context: of the running job; keeps the feature network.
        seed: chooses the real images that others are compared with.

    Attributes:
        count: samples to give to `look`: the floor was measured with as many.
        floor: the Fréchet distance of real images to other real ones, which no generator is expected to beat.

    Raises:
        Stopped: asked to stop while the feature network was being trained.
    """

    def __init__(self, data: ImageSet, context: JobContext, seed: int) -> None:
        self._network = feature_network(data, context)
        chosen, others = halves(len(data), MOST, seed)
        self.count = len(chosen)
        self._real = self._network.see(data.images[chosen]).features
        self._variance = float(np.trace(moments(self._real)[1]))
        self.floor = frechet_distance(self._real, self._network.see(data.images[others]).features)

    def look(self, images: Array) -> Look:
        """Looks at uint8 (count, height, width, channels), of the data set's shape."""
        features = self._network.see(images).features
        variance = float(np.trace(moments(features)[1]))
        return Look(frechet_distance(self._real, features), variance / max(self._variance, 1e-12))


def halves(count: int, most: int, seed: int) -> tuple[Array, Array]:
    """Two sets of different rows of `count`, of equal size, at most `most` each; int64, in random order."""
    order = np.random.Generator(np.random.Philox([seed, 3])).permutation(count)
    size = min(count // 2, most)
    return order[:size], order[size : 2 * size]
