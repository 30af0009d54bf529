"""What comes out is to be the partner of what went in: pix2pix (Isola et al. 2017)."""

import tensorflow as tf

from jobs.gan.style.methods.game import CROPS_OF_SOURCE, Metrics, Shape, StyleGame
from jobs.gan.style.methods.losses import difference
from jobs.gan.style.recipes import Recipe
from jobs.gan.style.spec import TrainStyle
from jobs.training import Batch
from jobs.training.draws import fork


class Paired(StyleGame):
    """https://arxiv.org/abs/1611.07004: equation 4; the discriminator sees both pictures (equation 1).

    With `game_weight` 0 it is the L1 loss alone, beside which the paper's table 1 puts it; the discriminator
    then stays as it is, and what is told of it is 0.
    """

    def __init__(self, spec: TrainStyle, recipe: Recipe, shape: Shape, *, flip: bool, augment: bool) -> None:
        super().__init__(spec, recipe, shape, ("l1",), flip=flip, augment=augment)
        self.discriminator = self._discriminator(2 * shape[2])
        self.learning([self.generator], [self.discriminator])

    def crops(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Both pictures of each pair, cut and mirrored alike."""
        draws = fork(seed, CROPS_OF_SOURCE)
        return self.crop(batch["source"], draws), self.crop(batch["target"], draws)

    def one_step(self, batch: Batch, step: tf.Tensor) -> Metrics:
        """One update of the discriminator, then one of the generator."""
        seed, recipe = self.seed(step), self.recipe
        source, target = self.crops(batch, seed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in self.drawing])
            drawn = self.generator(source, training=True)[0]
            found, game = (
                self._played(source, target, drawn, tape, seed) if recipe.game_weight else _unplayed()
            )
            l1 = difference(drawn, target)
            loss = recipe.game_weight * game + recipe.l1_weight * l1
        self.teach_generators(loss, tape, step)
        return {**found, "g_loss": loss, "game": game, "l1": l1}

    def _played(
        self, source: tf.Tensor, target: tf.Tensor, drawn: tf.Tensor, tape: tf.GradientTape, seed: tf.Tensor
    ) -> tuple[Metrics, tf.Tensor]:
        """What the update of the discriminator comes to, and the generator's part in the game."""
        shown = tf.concat([source, drawn], axis=3)
        with tape.stop_recording():
            real = tf.concat([source, target], axis=3)
            found = self.teach_discriminators([(self.discriminator, real, shown)], seed)
        return found, self.objective.generator(self.judged(self.discriminator, shown, fork(seed, 5)))


def _unplayed() -> tuple[Metrics, tf.Tensor]:
    nothing = tf.zeros(())
    return {"d_loss": nothing, "d_real": nothing, "d_fake": nothing}, nothing
