"""What is looked at while a generator of style is trained: fixed pictures, and how good all are by now."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array
from jobs.errors import BadInput, Diverged
from jobs.gan.style.data import Sets, squares
from jobs.gan.style.judging import FEWEST_SOURCE, FEWEST_TARGET, Judge
from jobs.gan.style.painting import Painter, paint, painter
from jobs.gan.style.spec import TrainStyle, looks_every, pictures_every
from jobs.pictures import gif, grid
from jobs.training.extending import Every

#: Names of the metrics that a look computes.
DISTANCE, CONTENT = "frechet_distance", "content_kept"
#: Pictures in a sample.
SHOWN = 8
#: Less variety than this share of the target pictures' means that all are alike.
COLLAPSED = 0.02
#: Share of the epochs, and steps at least, that a generator has for leaving its first images.
BEGINNING, BEGINNING_STEPS = 0.25, 500
#: Milliseconds that the filmstrip shows a picture.
FRAME_MILLISECONDS = 250


@dataclass
class Watch:
    """Called at the end of each epoch (`jobs.training.train`).

    Args:
        spec: of the training.
        sets: its pictures.
        network: what translates.
        back: what translates back, if there is one.
        epochs: of the training.
        context: of the running job.

    Attributes:
        every: at which epochs it looks and draws, besides the last.
        remark: why nothing is looked at, if it is not.
        draw: translates.
    """

    spec: TrainStyle
    sets: Sets
    network: keras.Model
    back: keras.Model | None
    epochs: int
    context: JobContext
    every: Every = field(init=False)
    judge: Judge | None = field(init=False, default=None)
    remark: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Makes the feature network ready, if there is to be a judge.

        Raises:
            BadInput: a rollback is asked for, and there are too few pictures to judge by.
            Stopped: asked to stop meanwhile.
        """
        channels = self.sets.channels
        self._painters: list[Painter] = [
            painter(network, channels) for network in (self.network, self.back) if network is not None
        ]
        self.draw = self._painters[0]
        rows = np.random.Generator(np.random.Philox([self.spec.seed, 6])).permutation(self.sets.looked_at)
        self._shown, self._partners = (
            squares(images, rows[:SHOWN], self.sets.crop, channels, self.spec.seed)
            for images in (self.sets.source, self.sets.target if self.sets.paired else self.sets.source)
        )
        look_every = looks_every(self.spec, self.epochs)
        sources, targets = len(self.sets.looked_at), len(self.sets.target)
        if look_every and (targets < FEWEST_TARGET or sources < FEWEST_SOURCE):
            look_every = 0
            self.remark = (
                f"nothing was measured: that takes {FEWEST_SOURCE} source and {FEWEST_TARGET} target pictures"
            )
            if self.spec.on_divergence == "rollback":
                raise BadInput(
                    f"on_divergence='rollback' goes back to the best weights, and to find them takes "
                    f"{FEWEST_SOURCE} source and {FEWEST_TARGET} target pictures; there are "
                    f"{sources} and {targets}: leave it out"
                )
        self.every = Every(judge=look_every, sample=pictures_every(self.spec, self.epochs))
        if look_every:
            self.judge = Judge(self.sets, self.context, self.spec.seed)

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that looking returns."""
        if self.judge is None:
            return ()
        return (DISTANCE,) if self.judge.source.content is None else (DISTANCE, CONTENT)

    def __call__(self, epoch: int, step: int) -> Mapping[str, float] | None:
        """Draws a picture, and looks, where it is time to.

        Raises:
            Diverged: all pictures have become alike, or are what they were.
        """
        last = epoch == self.epochs
        if self.every.samples(epoch) or last:
            self.context.save_sample(step, self.picture())
        if self.judge is None or not (self.every.judges(epoch) or last):
            return None
        look = self.judge.look(paint(self.draw, self.judge.pictures))
        begins = epoch <= BEGINNING * self.epochs or step < BEGINNING_STEPS
        if look.spread < COLLAPSED and not begins:
            raise Diverged(
                f"the generator has collapsed in epoch {epoch}/{self.epochs}: its pictures are all alike, "
                f"with {look.spread:.3f} of the variety of the target pictures; try another 'seed', a lower "
                "'learning_rate' or a larger weight of content"
            )
        if look.unchanged and not begins:
            raise Diverged(
                f"the generator has collapsed to the identity in epoch {epoch}/{self.epochs}: it leaves "
                "pictures as they are while the discriminator tells them; try another 'seed', a lower "
                "'learning_rate' or a smaller weight of content"
            )
        metrics = {DISTANCE: look.frechet_distance}
        return metrics if look.content is None else {**metrics, CONTENT: look.content}

    def picture(self) -> bytes:
        """The same pictures every time, as a PNG file: before, after, and what may be compared with that.

        Back again where that is learnt; the true partners where there are any.
        """
        rows: list[Array] = [self._shown]
        for draw in self._painters:
            rows.append(paint(draw, rows[-1]))
        if self.sets.paired:
            rows.append(self._partners)
        return grid(np.concatenate(rows), columns=len(self._shown))

    def filmstrip(self) -> bytes:
        """All pictures so far as an animated GIF, those before a restart as well."""
        return gif(self.context.samples(), FRAME_MILLISECONDS)
