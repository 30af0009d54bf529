"""One generator, one discriminator, and patches that keep their place: CUT and FastCUT (Park et al. 2020)."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from jobs.gan.style.methods.game import MIRRORED, PLACES, Metrics, Shape, StyleGame
from jobs.gan.style.methods.losses import patch_nce
from jobs.gan.style.networks.discriminator import build_reader
from jobs.gan.style.networks.projection import Projections, draw_places
from jobs.gan.style.recipes import Recipe
from jobs.gan.style.spec import TrainStyle
from jobs.training import Batch
from jobs.training.draws import fork, philox_uniform


class Contrastive(StyleGame):
    """Algorithm of https://arxiv.org/abs/2007.15651: equation 6 with its weights.

    The generator's own first layers are what features come from. With `nce_identity`, a target picture is
    translated as well, and its patches are to stay, too: the mean of both losses counts. FastCUT has pictures
    translated that are mirrored now and then, and compares what is mirrored back (its code's
    `flip_equivariance`); not of sets whose crops are never mirrored.

    With `classes` the discriminator learns to tell those of target pictures as well, and what it takes a
    translated picture for is to be the class of the source (Choi et al. 2018, equations 2 and 3).
    """

    def __init__(
        self,
        spec: TrainStyle,
        recipe: Recipe,
        shape: Shape,
        *,
        flip: bool,
        augment: bool,
        classes: int = 0,
    ) -> None:
        reads = classes > 0 and recipe.class_weight > 0
        names = ("nce", "classes") if reads else ("nce",)
        super().__init__(spec, recipe, shape, names, flip=flip, augment=augment)
        self.equivariant = flip and not recipe.nce_identity
        self.discriminator = self._discriminator()
        widths = [feature.shape[-1] for feature in self.generator.outputs[1:]]
        self.projections = Projections(widths, self.policy)
        self.reader = build_reader(self.discriminator, classes, self.policy) if reads else None
        judging = self.discriminator if self.reader is None else self.reader
        self.learning([self.generator, self.projections], [judging])

    def one_step(self, batch: Batch, step: tf.Tensor) -> Metrics:
        """One update of the discriminator, then one of the generator and the projections."""
        seed, recipe = self.seed(step), self.recipe
        source, target = self.crops(batch, seed)
        given = tf.concat([source, target], axis=0) if recipe.nce_identity else source
        mirror = self._mirror(seed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in self.drawing])
            drawn, *before = self.generator(mirror(given), training=True)
            fake = drawn[: source.shape[0]]
            with tape.stop_recording():
                found = self.teach_discriminators(
                    [(self.discriminator, target, fake)],
                    seed,
                    lambda: recipe.class_weight * self._misread(target, batch, "target_class"),
                )
                if self.equivariant:
                    before = self.generator(given, training=True)[1:]
            game = self.objective.generator(self.judged(self.discriminator, fake, fork(seed, 5)))
            after = [mirror(layer) for layer in self.generator(drawn, training=True)[1:]]
            nce = self._nce(after, before, seed)
            misread = self._misread(fake, batch, "source_class")
            loss = game + recipe.nce_weight * nce + recipe.class_weight * misread
        self.teach_generators(loss, tape, step)
        return {**found, "g_loss": loss, "game": game, "nce": nce, "classes": misread}

    def _misread(self, images: tf.Tensor, batch: Batch, name: str) -> tf.Tensor:
        """Mean cross-entropy of the classes that images are taken for; 0 if none are to stay."""
        if self.reader is None:
            return tf.zeros(())
        answers = self.reader(images, training=True)[1]
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(batch[name], answers))

    def _mirror(self, seed: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        """Mirrors images or features in every other step, drawn at random, or never."""
        if not self.equivariant:
            return lambda images: images
        now = philox_uniform((), fork(seed, MIRRORED)) < 0.5
        return lambda images: tf.where(now, tf.reverse(images, axis=[2]), images)

    def _nce(self, after: Sequence[tf.Tensor], before: Sequence[tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        places = draw_places(before, self.recipe.patches, fork(seed, PLACES))
        queries = self.projections.project(after, places)
        keys = self.projections.project([tf.stop_gradient(layer) for layer in before], places)
        return patch_nce(queries, keys, self.recipe.temperature)
