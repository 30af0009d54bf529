"""What is looked at while a GAN trains: pictures from the same latents, and how good they are by now."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.errors import BadInput, Diverged
from jobs.gan.generate import BATCH, draw, draw_latents
from jobs.gan.measures.judge import Judge
from jobs.gan.spec import TrainGan, looks_every, pictures_every
from jobs.pictures import gif, grid
from jobs.training.extending import Every

#: Fewer images say nothing about a distribution, and are not judged by.
FEWEST = 40
#: Images in a picture.
GRID = 64
#: The name of the metric that a look computes.
DISTANCE = "frechet_distance"
#: Less variety than this share of the real images' means that all samples are alike.
COLLAPSED = 0.02
#: Share of the epochs, and steps at least, that a generator has for leaving its first images, all alike.
BEGINNING, BEGINNING_STEPS = 0.25, 1_000
#: Milliseconds that the filmstrip shows a picture.
FRAME_MILLISECONDS = 250


@dataclass
class Watch:
    """Called at the end of each epoch (`jobs.training.train`).

    Args:
        spec: of the training.
        network: what pictures are drawn with.
        data: the real images.
        classes: of a conditional GAN, else 0.
        epochs: of the training.
        context: of the running job.

    Attributes:
        every: at which epochs it looks and draws, besides the last.
    """

    spec: TrainGan
    network: keras.Model
    data: ImageSet
    classes: int
    epochs: int
    context: JobContext
    every: Every = field(init=False)
    judge: Judge | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Makes the feature network ready, if there is to be a judge.

        Raises:
            BadInput: a rollback is asked for, and there are too few images to judge by.
            Stopped: asked to stop meanwhile.
        """
        self._latents = draw_latents(self.spec.seed, GRID, self.spec.latent_dim)
        look_every = looks_every(self.spec, self.epochs)
        if len(self.data) < FEWEST:
            look_every = 0
            if self.spec.on_divergence == "rollback":
                raise BadInput(
                    f"the data set {self.spec.dataset!r} has {len(self.data)} images, and to find the best "
                    f"weights, which on_divergence='rollback' goes back to, takes {FEWEST}; leave it out"
                )
        self.every = Every(judge=look_every, sample=pictures_every(self.spec, self.epochs))
        if look_every:
            self.judge = Judge(self.data, self.context, self.spec.seed)

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that looking returns."""
        return (DISTANCE,) if self.judge else ()

    def __call__(self, epoch: int, step: int) -> Mapping[str, float] | None:
        """Draws a picture, and looks, where it is time to.

        Raises:
            Diverged: all images are alike.
        """
        last = epoch == self.epochs
        if self.every.samples(epoch) or last:
            self.context.save_sample(step, self.picture())
        if self.judge is None or not (self.every.judges(epoch) or last):
            return None
        look = self.judge.look(self._drawn(self.judge.count))
        begins = epoch <= BEGINNING * self.epochs or step < BEGINNING_STEPS
        if look.spread < COLLAPSED and not begins:
            raise Diverged(
                f"the generator has collapsed in epoch {epoch}/{self.epochs}: its images are all alike, with "
                f"{look.spread:.3f} of the variety of the real ones; try another 'seed', a lower "
                "'learning_rate' or architecture='wgan-gp'"
            )
        return {DISTANCE: look.frechet_distance}

    def picture(self) -> bytes:
        """Images of the same latents every time, as a PNG file; of each class in turn."""
        return grid(draw(self.network, self._latents, self._labels(GRID)))

    def filmstrip(self) -> bytes:
        """All pictures so far as an animated GIF, those before a restart as well."""
        return gif(self.context.samples(), FRAME_MILLISECONDS)

    def _drawn(self, count: int) -> Array:
        """Samples, uint8 (count, height, width, channels), the same latents every time."""
        latents, labels = draw_latents(self.spec.seed + 1, count, self.spec.latent_dim), self._labels(count)
        parts = (slice(first, first + BATCH) for first in range(0, count, BATCH))
        drawn = [
            draw(self.network, latents[part], None if labels is None else labels[part]) for part in parts
        ]
        return np.concatenate(drawn)

    def _labels(self, count: int) -> Array | None:
        return np.arange(count) % self.classes if self.classes else None
