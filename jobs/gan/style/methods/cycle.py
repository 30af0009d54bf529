"""A generator for each direction, and pictures that come back as they were: CycleGAN (Zhu et al. 2017)."""

import keras
import tensorflow as tf

from jobs.gan.style.methods.game import POOLS, Metrics, Shape, StyleGame
from jobs.gan.style.methods.losses import difference
from jobs.gan.style.methods.pool import ImagePool
from jobs.gan.style.recipes import Recipe
from jobs.gan.style.spec import TrainStyle
from jobs.training import Batch
from jobs.training.draws import fork


class CycleGan(StyleGame):
    """https://arxiv.org/abs/1703.10593: equation 3, with the identity loss of section 5.2."""

    def __init__(self, spec: TrainStyle, recipe: Recipe, shape: Shape, *, flip: bool, augment: bool) -> None:
        super().__init__(spec, recipe, shape, ("cycle", "identity"), flip=flip, augment=augment)
        self.back = self._generator()
        self.judge_of_target, self.judge_of_source = self._discriminator(), self._discriminator()
        self.targets = ImagePool(recipe.image_pool, shape, "targets")
        self.sources = ImagePool(recipe.image_pool, shape, "sources")
        self.learning([self.generator, self.back], [self.judge_of_target, self.judge_of_source])

    def one_step(self, batch: Batch, step: tf.Tensor) -> Metrics:
        """One update of both generators, then one of both discriminators."""
        seed, recipe = self.seed(step), self.recipe
        source, target = self.crops(batch, seed)
        count = source.shape[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in self.drawing])
            # What a generator is given at the same time goes through it together.
            to_target = self._drawn(self.generator, [source, target] if recipe.identity_weight else [source])
            to_source = self._drawn(self.back, [target, source] if recipe.identity_weight else [target])
            fake_target, fake_source = to_target[:count], to_source[:count]
            game = self.objective.generator(
                self.judged(self.judge_of_target, fake_target, fork(seed, 5))
            ) + self.objective.generator(self.judged(self.judge_of_source, fake_source, fork(seed, 8)))
            cycle = difference(self._drawn(self.back, [fake_target]), source) + difference(
                self._drawn(self.generator, [fake_source]), target
            )
            identity = tf.zeros(())
            if recipe.identity_weight:
                identity = difference(to_target[count:], target) + difference(to_source[count:], source)
            loss = game + recipe.cycle_weight * (cycle + recipe.identity_weight * identity)
        self.teach_generators(loss, tape, step)
        shown_target = self.targets.exchanged(tf.stop_gradient(fake_target), fork(seed, POOLS))
        shown_source = self.sources.exchanged(tf.stop_gradient(fake_source), fork(seed, POOLS + 2))
        found = self.teach_discriminators(
            [(self.judge_of_target, target, shown_target), (self.judge_of_source, source, shown_source)], seed
        )
        return {**found, "g_loss": loss, "game": game, "cycle": cycle, "identity": identity}

    @staticmethod
    def _drawn(generator: keras.Model, images: list[tf.Tensor]) -> tf.Tensor:
        drawn: tf.Tensor = generator(tf.concat(images, axis=0), training=True)[0]
        return drawn
