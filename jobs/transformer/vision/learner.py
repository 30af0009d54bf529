"""A network in training: random changes, one step of AdamW by layer, and an average of the weights."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.errors import BadInput
from jobs.selfsupervised.networks.augmentations import fork, uniform
from jobs.training import Batch, Trainable, machine
from jobs.training.rows import Selection
from jobs.transformer.encoder.adamw import UNDECAYED, AdamW
from jobs.transformer.vision.augmenting.changes import changed
from jobs.transformer.vision.augmenting.mixing import mixed
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.spec import TrainImageClassifier

Array = np.ndarray[Any, Any]

#: Images of a call outside of training, and pixels of them together, at most.
ROWS, PIXELS = 256, 2**22
#: Number of the draw of stochastic depth in a step.
_DEPTH = 60


class ImageLearner(Trainable):
    """A network with its optimizer.

    Args:
        spec: the training's.
        network: to train.
        weights: of each class in the loss, float32 (classes,), 1 in the mean over all rows.
        steps: of the whole training.
    """

    def __init__(
        self, spec: TrainImageClassifier, network: Network, weights: Array, steps: int, flip: bool
    ) -> None:
        super().__init__(("loss", "accuracy"), name="vision")
        self.spec, self.network = spec, network
        self.precision = machine.precision(spec.precision)
        self._kind = tf.bfloat16 if self.precision == "bfloat16" else tf.float32
        self._flip = flip
        self._class_weights = tf.constant(weights)
        self._steps = steps
        self._warmup = math.ceil(spec.warmup * steps)
        groups = trained_groups(network, spec.frozen_layers)
        self._trained = [variable for _, group in groups for variable in group]
        self.adamw = AdamW(
            spec.peak,
            spec.weight_decay,
            clip_norm=spec.clip_norm or None,
            scales=[spec.decay_by_layer**above for above, group in groups for _ in group],
            undecayed=UNDECAYED | {"positions", "class_token"},
        )
        self.adamw.build(self._trained)
        self._averages = [
            self.add_weight(
                shape=each.shape,
                name="average",
                initializer=keras.initializers.Constant(np.asarray(each.value)),
                trainable=False,
            )
            for each in (self._trained if spec.average else ())
        ]

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The one there is."""
        return [self.adamw]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights.

        Args:
            batch: `images` uint8 (batch, height, width, channels) and `labels` int32 (batch,).
            step: int64 (), the number of the step.
        """
        spec, seed = self.spec, tf.stack([tf.constant(self.spec.seed, tf.int64), step])
        images = tf.cast(batch["images"], tf.float32) / 255.0
        images = changed(images, seed, spec.crop, self._flip, spec.operations, spec.magnitude)
        targets = tf.one_hot(batch["labels"], len(self.network.plan.class_names))
        images, targets = mixed(images, targets, seed, spec.mixup, spec.cutmix)
        variables = [each.value for each in self._trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = self.network.logits(images, self._kind, True, self._shares(seed, images.shape[0]))
            loss = tf.reduce_mean(self._weighed(targets) * self.losses(targets, logits))
        self.adamw.update(tape.gradient(loss, variables), self.share(step))
        self._average(step)
        hits = tf.argmax(logits, axis=1) == tf.argmax(targets, axis=1)
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}

    def losses(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropy with smoothed targets (Szegedy et al. 2016, section 7), float32 (batch,)."""
        smoothing = self.spec.label_smoothing
        smoothed = targets * (1.0 - smoothing) + smoothing / len(self.network.plan.class_names)
        return tf.nn.softmax_cross_entropy_with_logits(smoothed, logits)

    def _weighed(self, targets: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(targets, self._class_weights)

    def share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate in a step, float32 (): it rises over the warm-up, then falls as a cosine."""
        done = tf.cast(step, tf.float32)
        rising = (done + 1.0) / max(self._warmup, 1)
        along = (done - self._warmup) / max(self._steps - self._warmup, 1)
        return tf.where(done < self._warmup, rising, 0.5 * (1.0 + tf.cos(math.pi * along)))

    def _shares(self, seed: tf.Tensor, batch: int) -> tf.Tensor | None:
        """What stochastic depth leaves of each half of a block, float32 (halves, batch).

        Huang et al. 2016 (https://arxiv.org/abs/1603.09382), equation 4: the last is left out most often.
        """
        halves = self.network.encoder.halves
        if not self.spec.drop_path or not halves:
            return None
        kept = 1.0 - self.spec.drop_path * np.arange(1, halves + 1, dtype=np.float32)[:, np.newaxis] / halves
        draws = uniform((halves, batch), fork(seed, _DEPTH))
        return tf.where(draws < kept, 1.0 / kept, 0.0)

    def _average(self, step: tf.Tensor) -> None:
        """Moves each average towards its weight; in the first steps faster, so that it forgets the start."""
        done = tf.cast(step, tf.float32)
        kept = tf.minimum(self.spec.average, (1.0 + done) / (10.0 + done))
        for average, weight in zip(self._averages, self._trained, strict=False):
            average.assign(average.value * kept + weight.value * (1.0 - kept))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with the averages as its weights, which come back afterwards."""
        held = [tf.identity(each.value) for each in self._trained] if self._averages else []
        self.take_averages()
        try:
            yield
        finally:
            for weight, before in zip(self._trained, held, strict=False):
                weight.assign(before)

    def take_averages(self) -> None:
        """Makes the averages the weights of the network, for good."""
        for average, weight in zip(self._averages, self._trained, strict=False):
            weight.assign(average.value)

    def predicted(self, images: Array | Selection) -> Array:
        """Logits, float32 (count, classes), of images uint8 (count, height, width, channels)."""
        return predicted(images, self._predict)

    @tf.function(autograph=False)
    def _predict(self, images: tf.Tensor) -> tf.Tensor:
        return self.network.logits(tf.cast(images, tf.float32) / 255.0, self._kind)


def rows_of(shape: tuple[int, ...]) -> int:
    """Images of a call outside of training, 8 to `ROWS`.

    Every call has so many, so that an output depends on its own image alone.

    Args:
        shape: of an image, (height, width, channels).
    """
    rows = ROWS
    while rows > 8 and rows * math.prod(shape) > PIXELS:
        rows //= 2
    return rows


def predicted(images: Array | Selection, compute: Callable[[tf.Tensor], tf.Tensor]) -> Array:
    """What is computed of images in batches of equal size, the last one filled up with black ones."""
    parts, rows = [], rows_of(images.shape[1:])
    for first in range(0, len(images), rows):
        part = images[first : first + rows]
        padded = np.zeros((rows, *images.shape[1:]), np.uint8)
        padded[: len(part)] = part
        parts.append(np.asarray(compute(tf.constant(padded)))[: len(part)])
    return np.concatenate(parts)


def trained_groups(network: Network, frozen: int) -> list[tuple[int, list[keras.Variable]]]:
    """The layers that are trained, each with how many layers lie above it.

    Args:
        network: whose layers.
        frozen: so many of the lowest layers of the encoder are not, nor is what makes the tokens; 0 = all
            are trained.

    Raises:
        BadInput: the encoder has fewer layers.
    """
    groups = network.groups()
    layers = len(groups) - 2  # without what makes the tokens, and without the head
    if frozen > layers:
        raise BadInput(f"frozen_layers is {frozen}, and the encoder has {layers}; freeze these at most")
    first = frozen + 1 if frozen else 0
    if frozen:
        network.encoder.freeze(first)
    return [(len(groups) - 1 - number, group) for number, group in enumerate(groups) if number >= first]


def class_weights(kind: str, labels: Array, classes: int) -> Array:
    """The weight of each class in the loss, float32 (classes,): 1, or in inverse proportion to its rows."""
    if kind == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    weights: Array = (len(labels) / ((counts > 0).sum() * np.maximum(counts, 1))).astype(np.float32)
    return weights
