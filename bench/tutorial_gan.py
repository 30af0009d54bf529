"""The GAN loop of the widespread Keras tutorials: `python -m bench.tutorial_gan ARCHITECTURE SECONDS`.

Prints steps a second after a warm-up, milliseconds of processor time a step, of all threads, and the peak of
the process's memory in MB.
"""

import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from jobs.datasets.images import named
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan


class TutorialGan:
    """The loop of the tutorials: `predict` and `train_on_batch`, one step at a time.

    A step updates the discriminator once, on a batch of real and a batch of generated images, and then
    the generator through the combined model, in which the discriminator is frozen.

    Args:
        spec: its networks, optimizers and batch size are used.
    """

    def __init__(self, spec: TrainGan) -> None:
        self.batch = recipe(spec).batch_size
        self.latent_dim = spec.latent_dim
        data = named.load(spec.dataset)
        self.images = data.images.astype(np.float32) / 127.5 - 1.0
        self.generator = build_generator(spec, data.shape)
        logits = build_discriminator(spec, data.shape)
        probability = keras.layers.Activation("sigmoid")(logits.output)
        self.discriminator = keras.Model(logits.input, probability)
        self.discriminator.compile(adam(spec), "binary_crossentropy")
        latents = keras.Input((spec.latent_dim,))
        self.combined = keras.Model(latents, self.discriminator(self.generator(latents)))
        self.combined.compile(adam(spec), "binary_crossentropy")
        self.random = np.random.default_rng(spec.seed)

    def step(self) -> None:
        """One step of the tutorial."""
        rows = self.random.integers(0, len(self.images), self.batch)
        fake = self.generator.predict(self.latents(), verbose=0)
        images = np.concatenate([self.images[rows], fake])
        labels = np.concatenate([np.ones((self.batch, 1)), np.zeros((self.batch, 1))])
        # Keras 3 looks at `trainable` when it traces, so the freezing of the tutorials, once before the
        # combined model is compiled, would stop the discriminator for good.
        self.discriminator.trainable = True
        self.discriminator.train_on_batch(images, labels)
        self.discriminator.trainable = False
        self.combined.train_on_batch(self.latents(), np.ones((self.batch, 1)))

    def latents(self) -> np.ndarray:
        """Standard normal numbers, (batch, latent_dim)."""
        return self.random.standard_normal((self.batch, self.latent_dim))


def adam(spec: TrainGan) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(recipe(spec).learning_rate, recipe(spec).beta_1)


def speed(spec: TrainGan, seconds: float, warm_up: int = 3) -> tuple[float, float]:
    """Steps a second of the loop, after a warm-up, and milliseconds of processor time a step."""
    tutorial = TutorialGan(spec)
    for _ in range(warm_up):
        tutorial.step()
    began, processor, steps = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < seconds:
        tutorial.step()
        steps += 1
    return steps / (time.monotonic() - began), (time.process_time() - processor) / steps * 1e3


def main(architecture: str, seconds: str) -> None:
    spec = TrainGan.model_validate({"architecture": architecture, "dataset": "mnist-5k"})
    print(*speed(spec, float(seconds)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
