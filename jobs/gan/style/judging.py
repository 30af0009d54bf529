"""How good translated pictures are while a generator is trained: beside the untouched ones, and the floor."""

from dataclasses import dataclass

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array
from jobs.gan.measures.features import feature_network
from jobs.gan.measures.judge import halves
from jobs.gan.measures.metrics import frechet_distance, moments
from jobs.gan.style.data import Sets, as_squares, shows_all, squares

#: Pictures of a look; as many as there are, or as half of the target set has, if that is fewer.
MOST = 1_000
#: Fewer pictures say nothing about a distribution: of the target set, and of the source set.
FEWEST_TARGET, FEWEST_SOURCE = 40, 20
#: Outputs that differ from inputs by less than such a share of what source and target pictures differ by.
UNCHANGED = 0.02
#: What is at least such a share of the distance of the untouched pictures is no progress.
NO_NEARER = 0.9


@dataclass(frozen=True)
class Look:
    """What a look at translated pictures has shown.

    Attributes:
        frechet_distance: to the target pictures.
        spread: total variance of their features over that of the target pictures; near 0 means that all are
            alike.
        content: share that is taken for the class that it had; None without the same classes in both sets.
        unchanged: whether they are the pictures that went in, and no nearer to the target.
    """

    frechet_distance: float
    spread: float
    content: float | None
    unchanged: bool


class Judge:
    """Compares translated pictures with target pictures, in the features of these.

    Args:
        sets: of the training.
        context: of the running job; keeps the feature network.
        seed: chooses the pictures that are looked at.

    Attributes:
        pictures: what to translate and give to `look`, uint8 (count, side, side, channels).
        floor: the Fréchet distance of target pictures to other ones.
        source: what a look at untouched pictures shows.
        accuracy: of the classifier of target pictures; None if it tells something else.

    Raises:
        Stopped: asked to stop while the feature network was being trained.
    """

    def __init__(self, sets: Sets, context: JobContext, seed: int) -> None:
        target = as_squares(sets.target, sets.crop, sets.channels, seed)
        self._network = feature_network(target, context)
        count = min(MOST, len(target) // 2, len(sets.looked_at))
        chosen, others = halves(len(target), count, seed)
        order = np.random.Generator(np.random.Philox([seed, 9])).permutation(sets.looked_at)
        self._rows = np.sort(order[:count])
        self.pictures = squares(sets.source, self._rows, sets.crop, sets.channels, seed)
        real = target.images[chosen]
        self._real = self._network.see(real).features
        self._variance = float(np.trace(moments(self._real)[1]))
        self._apart = float(np.abs(self.pictures - real[: len(self.pictures)].astype(np.float32)).mean())
        self._labels = None
        told = self._network.task == "classes"
        self.accuracy = self._network.accuracy if told else None
        if told and sets.source.class_names == target.class_names and shows_all(sets.source, sets.crop):
            self._labels = np.asarray(sets.source.labels)[self._rows]
        self.floor = frechet_distance(self._real, self._network.see(target.images[others]).features)
        self._untouched = float("inf")
        self.source = self.look(self.pictures)
        self._untouched = self.source.frechet_distance

    def look(self, images: Array) -> Look:
        """Looks at the translated pictures, uint8 (count, side, side, channels), in their order."""
        seen = self._network.see(images)
        distance = frechet_distance(self._real, seen.features)
        variance = float(np.trace(moments(seen.features)[1]))
        changed = float(np.abs(images.astype(np.float32) - self.pictures).mean())
        return Look(
            distance,
            variance / max(self._variance, 1e-12),
            None if self._labels is None else float((seen.answers == self._labels).mean()),
            changed < UNCHANGED * self._apart and distance > NO_NEARER * self._untouched,
        )
