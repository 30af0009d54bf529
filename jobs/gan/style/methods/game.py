"""What all trainings of style transfer share: their pictures, their game, and the average that draws."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from jobs.gan.layers.adam import FusedAdam
from jobs.gan.layers.averages import follow
from jobs.gan.layers.changes import changed
from jobs.gan.layers.objectives import OBJECTIVES
from jobs.gan.style.methods.crops import as_floats, cropped
from jobs.gan.style.networks.discriminator import build_discriminator
from jobs.gan.style.networks.generator import build_generator
from jobs.gan.style.recipes import Recipe
from jobs.gan.style.spec import TrainStyle
from jobs.training import Batch, Trainable, machine
from jobs.training.draws import fork

Shape = tuple[int, int, int]
Metrics = dict[str, tf.Tensor]
#: Numbers of the draws of a step (`fork`): the projections have those from `PLACES` on.
CROPS_OF_SOURCE, CROPS_OF_TARGET, CHANGES, MIRRORED, POOLS, PLACES = 0, 1, 2, 6, 7, 16


class StyleGame(Trainable):
    """Generators against discriminators, with an Adam for each side. Subclasses build and play.

    Args:
        spec: the training's.
        recipe: with everything that the spec leaves open.
        shape: of the crops.
        flip: whether half of them are mirrored.
        augment: whether discriminators see changed images.
        names: of further metrics.

    Attributes:
        average: what pictures are drawn with, of any size: the running average of the generator.
        back: the generator of the other direction, if there is one.
    """

    def __init__(
        self,
        spec: TrainStyle,
        recipe: Recipe,
        shape: Shape,
        names: Sequence[str],
        *,
        flip: bool,
        augment: bool,
    ) -> None:
        super().__init__(("d_loss", "g_loss", "game", *names, "d_real", "d_fake"), name="style")
        self.spec, self.recipe, self.shape = spec, recipe, shape
        self.flip, self.augment = flip, augment
        self.objective = OBJECTIVES[recipe.loss]
        self.precision = machine.precision(spec.precision)
        self.policy = self.precision if self.precision == "float32" else f"mixed_{self.precision}"
        self.generator = self._generator()
        self.average = build_generator(recipe.size(shape[0]), shape[2], "float32")
        self.average.set_weights(self.generator.get_weights())
        self.back: keras.Model | None = None

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The generators', then the discriminators'."""
        return [self.generator_optimizer, self.discriminator_optimizer]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def learning(self, drawing: Sequence[keras.Model], judging: Sequence[keras.Model]) -> None:
        """Builds the optimizers of networks that draw, and of those that judge."""
        self.drawing = [weight for network in drawing for weight in network.trainable_variables]
        self.judging = [weight for network in judging for weight in network.trainable_variables]
        self.generator_optimizer, self.discriminator_optimizer = self._adam(), self._adam()
        self.generator_optimizer.build(self.drawing)
        self.discriminator_optimizer.build(self.judging)

    def seed(self, step: tf.Tensor) -> tf.Tensor:
        """What all draws of a step come from, int64 (2,)."""
        return tf.stack([tf.constant(self.spec.seed, tf.int64), step])

    def crops(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Source and target pictures of a step, float32 (batch, side, side, channels) in [-1, 1]."""
        source = self.crop(batch["source"], fork(seed, CROPS_OF_SOURCE))
        return source, self.crop(batch["target"], fork(seed, CROPS_OF_TARGET))

    def crop(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A square of each picture, float32 in [-1, 1], the same places for the same seed."""
        return as_floats(cropped(images, self.shape[1], seed, flip=self.flip), self.shape[2])

    def judged(self, discriminator: keras.Model, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Logits of images, which are changed first if wanted."""
        return discriminator(changed(images, seed) if self.augment else images, training=True)

    def teach_discriminators(
        self,
        pairs: Sequence[tuple[keras.Model, tf.Tensor, tf.Tensor]],
        seed: tf.Tensor,
        further: Callable[[], tf.Tensor] = lambda: tf.zeros(()),
    ) -> Metrics:
        """One update of each discriminator from real and generated images; losses and scores, their means.

        `further` is what they learn besides, a loss that comes on top.
        """
        losses, reals, fakes = [], [], []
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in self.judging])
            for number, (discriminator, real, fake) in enumerate(pairs):
                logits = [
                    self.judged(discriminator, images, fork(seed, CHANGES + 2 * number + each))
                    for each, images in enumerate((real, tf.stop_gradient(fake)))
                ]
                losses.append(self.objective.discriminator(*logits))
                reals.append(tf.reduce_mean(self.objective.scores(logits[0])))
                fakes.append(tf.reduce_mean(self.objective.scores(logits[1])))
            d_loss = tf.add_n(losses) / len(losses)
            whole = tf.add_n([*losses, further()])
        self.discriminator_optimizer.apply(tape.gradient(whole, self.judging), self.judging)
        return {
            "d_loss": d_loss,
            "d_real": tf.add_n(reals) / len(reals),
            "d_fake": tf.add_n(fakes) / len(fakes),
        }

    def teach_generators(self, loss: tf.Tensor, tape: tf.GradientTape, step: tf.Tensor) -> None:
        """One update of the generators, and of the average."""
        self.generator_optimizer.apply(tape.gradient(loss, self.drawing), self.drawing)
        follow(self.average, self.generator, self.spec.average, step)  # a decay of 0 copies

    def _generator(self) -> keras.Model:
        size = self.recipe.size(self.shape[0])
        return build_generator(size, self.shape[2], self.policy, self.shape[0])

    def _discriminator(self, channels: int | None = None) -> keras.Model:
        shape = (*self.shape[:2], channels or self.shape[2])
        return build_discriminator(self.recipe.channels, self.recipe.halvings, shape, self.policy)

    def _adam(self) -> keras.optimizers.Adam:
        return FusedAdam(self.recipe.learning_rate, self.recipe.beta_1, 0.999)
