"""Draws images with a trained generator."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from jobs.context import JobContext, Progress
from jobs.datasets.images import ImageSet
from jobs.errors import BadInput, Stopped
from jobs.gan.models import build_generator
from jobs.gan.spec import GenerateImages, ImagesResult, TrainGan
from jobs.pictures import grid, png

#: Latents in one call of the generator. Every call has this many, so that an image depends on its own
#: latents alone, and not on how many others were asked for.
BATCH = 64
#: A grid of more images than this is no picture any more; the `.npz` has them all.
LARGEST_GRID = 400

Array = np.ndarray[Any, Any]


def run(spec: GenerateImages, context: JobContext) -> ImagesResult:
    """Saves `grid.png`, `images/0000.png` and so on, and `images.npz`.

    Raises:
        BadInput: the model is not a GAN, or its weights cannot be had.
        Stopped: asked to stop; nothing is worth keeping.
    """
    generator, latent_dim = load_generator(spec.model, context)
    latents = draw_latents(spec.seed, spec.count, latent_dim)
    parts = []
    for first in range(0, spec.count, BATCH):
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at image {first} of {spec.count}: {reason}")
        parts.append(draw(generator, latents[first : first + BATCH]))
        done = min(first + BATCH, spec.count)
        context.report(Progress(done, spec.count, f"image {done}/{spec.count}"))
    images = np.concatenate(parts)
    context.save_artifact("grid.png", grid(images[:LARGEST_GRID]))
    for number, image in enumerate(images):
        context.save_artifact(f"images/{number:04d}.png", png(image))
    path = context.folder / "images.npz"
    ImageSet(images).write(path)
    context.save_artifact("images.npz", path)
    _, height, width, channels = images.shape
    return ImagesResult(count=len(images), height=height, width=width, channels=channels)


def load_generator(job_id: str, context: JobContext) -> tuple[keras.Model, int]:
    """The generator of a finished training job, and the length of its latents.

    It is built from the job's spec and filled from its safetensors file: no code is loaded.

    Raises:
        BadInput: the job is not a GAN, or its weights are not there or do not fit.
    """
    trained = context.spec_of(job_id)
    if not isinstance(trained, TrainGan):
        raise BadInput(f"job {job_id} is a {trained.kind}, and images are generated from a gan.train")
    path = context.artifact_of(job_id, "generator.safetensors")
    shape, weights = _read_weights(path, job_id)
    generator = build_generator(trained, shape)
    if [weight.shape for weight in weights] != [tuple(weight.shape) for weight in generator.weights]:
        raise BadInput(f"the weights of job {job_id} do not fit its spec; train it again")
    generator.set_weights(weights)
    return generator, trained.latent_dim


def _read_weights(path: Path, job_id: str) -> tuple[tuple[int, int, int], list[Array]]:
    try:
        with safe_open(path, framework="numpy") as file:
            height, width, channels = json.loads(file.metadata()["shape"])
            return (height, width, channels), [file.get_tensor(name) for name in sorted(file.keys())]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error


def draw_latents(seed: int, count: int, latent_dim: int) -> Array:
    """Standard normal latents, float32 (count, latent_dim); the first n are the same for every count."""
    random = np.random.Generator(np.random.Philox(seed))
    return random.standard_normal((count, latent_dim), dtype=np.float32)


def draw(generator: keras.Model, latents: Array) -> Array:
    """Draws uint8 (count, height, width, channels) from latents (count, latent_dim), at most `BATCH`."""
    padded = np.zeros((BATCH, latents.shape[1]), dtype=np.float32)
    padded[: len(latents)] = latents
    images = np.asarray(generator(padded, training=False))[: len(latents)]
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)
