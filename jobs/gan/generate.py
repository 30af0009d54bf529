"""Draws images with a trained generator."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from safetensors import SafetensorError, safe_open

from jobs.context import JobContext, Progress
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.readable import encodable
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import BadInput, Stopped
from jobs.gan.interpolation import round_trip
from jobs.gan.networks import build_generator
from jobs.gan.spec import GenerateImages, ImagesResult, TrainGan
from jobs.pictures import gif, grid, png

#: Latents in one call of the generator. Every call has this many, so that an image depends on its own
#: latents alone, and not on how many others were asked for.
BATCH = 64
#: The artifact of a training that has the generator.
WEIGHTS = "generator.safetensors"
#: Such calls in a part that is worth its beginning: some hundred files.
LEAST = 8
#: File of the images of a part.
_SHARD = "images.npy"
#: A grid of more images than this is no picture any more; the `.npz` has them all.
LARGEST_GRID = 400
#: Frames of the animation from one image to the next, and milliseconds of each.
FRAMES, FRAME_MILLISECONDS = 16, 60

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator and what it was trained as.

    Attributes:
        spec: of its training.
        shape: (height, width, channels) of its images.
        class_names: what it can be asked for; empty if it is not conditional.
    """

    network: keras.Model
    job_id: str
    spec: TrainGan
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]

    def number_of(self, label: str) -> int:
        """The number of a class that is given by its name or its number.

        Raises:
            BadInput: the generator is not conditional, or there is no such class.
        """
        if not self.class_names:
            raise BadInput(
                f"job {self.job_id} is not conditional, so no label can be asked of it; leave out 'label', "
                "or train with conditional=true"
            )
        if label in self.class_names:
            return self.class_names.index(label)
        if label.isdecimal() and int(label) < len(self.class_names):
            return int(label)
        raise BadInput(
            f"job {self.job_id} knows no class {label!r}: its classes are {', '.join(self.class_names)}, "
            f"or their numbers from 0 to {len(self.class_names) - 1}"
        )


def run(spec: GenerateImages, context: JobContext) -> ImagesResult:
    """Saves `grid.png`, `images/0000.png` and so on, `images.npz`, and maybe `interpolation.gif`.

    Raises:
        BadInput: the model is not a GAN, its weights cannot be fetched, or it has no such class.
        Stopped: asked to stop; nothing is worth keeping.
    """
    generator = load_generator(spec.model, context)
    images = _drawn(spec, context, generator, 0, spec.count)
    return _whole(spec, context, generator, images)


def cuts(spec: GenerateImages, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between calls of the generator."""
    return Cuts.every(BATCH, spec.count, LEAST)


def compute(spec: GenerateImages, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: one shard, the images as NumPy keeps them; single images are the whole's."""
    images = _drawn(spec, context, load_generator(spec.model, context), part.first, part.end)
    np.save(context.folder / _SHARD, images)
    context.save_shard(_SHARD, context.folder / _SHARD)
    return PartResult(shards=(_SHARD,))


def join(spec: GenerateImages, context: JobContext, pieces: Sequence[Piece]) -> ImagesResult:
    """See `jobs.dividing.parts`: what is made of all images together."""
    images = np.concatenate([np.load(piece.shards[0]) for piece in pieces])
    return _whole(spec, context, load_generator(spec.model, context), images)


def _drawn(spec: GenerateImages, context: JobContext, generator: Generator, first: int, end: int) -> Array:
    """Some of the images, each saved as a file, too."""
    latents = draw_latents(spec.seed, end, generator.spec.latent_dim, spec.truncation)[first:]
    labels = _labels(generator, spec)
    images = draw_all(generator, latents, None if labels is None else labels[first:end], context)
    for number, image in enumerate(images, first):
        context.save_artifact(f"images/{number:04d}.png", png(image))
    return images


def _whole(spec: GenerateImages, context: JobContext, generator: Generator, images: Array) -> ImagesResult:
    context.save_artifact("grid.png", grid(images[:LARGEST_GRID]))
    path = context.folder / "images.npz"
    ImageSet(images, _labels(generator, spec), generator.class_names).write(path)
    context.save_artifact("images.npz", path)
    if spec.interpolate:
        context.save_artifact("interpolation.gif", _animation(generator, spec, spec.interpolate, context))
    _, height, width, channels = images.shape
    return ImagesResult(count=len(images), height=height, width=width, channels=channels)


def _labels(generator: Generator, spec: GenerateImages) -> Array | None:
    """The class of every image, int64 (count,); a function of its number. None without classes."""
    if spec.label is not None:
        return np.full(spec.count, generator.number_of(spec.label), np.int64)
    return np.arange(spec.count) % len(generator.class_names) if generator.class_names else None


def _animation(generator: Generator, spec: GenerateImages, count: int, context: JobContext) -> bytes:
    """An interpolation between the first images, one class at a time; with all in turn, the first one's."""
    stations = draw_latents(spec.seed, count, generator.spec.latent_dim, spec.truncation)
    path = round_trip(stations, FRAMES)
    labels = None
    if generator.class_names:
        labels = np.full(len(path), generator.number_of(spec.label or "0"), np.int64)
    frames = draw_all(generator, path, labels, context)
    return gif([grid(frame[np.newaxis], padding=0, smallest=256) for frame in frames], FRAME_MILLISECONDS)


def load_generator(job_id: str, context: JobContext) -> Generator:
    """The generator of a finished training job.

    It is built from the job's spec and filled from its safetensors file: no code is loaded.

    Raises:
        BadInput: the job is not a GAN, or its weights are not there or do not fit.
    """
    digest = context.digest_of(job_id, WEIGHTS)
    return context.in_memory(f"generator {digest}", lambda: _loaded(job_id, context))


def _loaded(job_id: str, context: JobContext) -> tuple[Generator, int]:
    trained = context.spec_of(job_id)
    if not isinstance(trained, TrainGan):
        raise BadInput(f"job {job_id} is a {trained.kind}, and images are generated from a gan.train")
    path = context.artifact_of(job_id, WEIGHTS)
    generator = read_generator(path, job_id, trained)
    return generator, sum(weight.nbytes for weight in generator.network.get_weights())


def read_generator(path: Path, job_id: str, trained: TrainGan) -> Generator:
    """A generator from its file and the spec of its training.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    shape, class_names, weights = _read_weights(path, job_id)
    network = build_generator(trained, shape, len(class_names))
    if [weight.shape for weight in weights] != [tuple(weight.shape) for weight in network.weights]:
        raise BadInput(f"the weights of job {job_id} do not fit its spec; train it again")
    network.set_weights(weights)
    return Generator(network, job_id, trained, shape, class_names)


def _read_weights(path: Path, job_id: str) -> tuple[tuple[int, int, int], tuple[str, ...], list[Array]]:
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["generator"])
            height, width, channels = about["shape"]
            class_names = tuple(map(encodable, about["class_names"]))
            weights = [file.get_tensor(name) for name in sorted(file.keys())]
            return (height, width, channels), class_names, weights
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error


def draw_latents(seed: int, count: int, latent_dim: int, truncation: float | None = None) -> Array:
    """Standard normal latents, float32 (count, latent_dim); the first n are the same for every count.

    Args:
        seed: what they depend on, with their number.
        count: how many.
        latent_dim: their length.
        truncation: numbers that are larger, or smaller than its negative, are drawn again (Brock et al. 2018,
            https://arxiv.org/abs/1809.11096, section 3.1).
    """
    random = np.random.Generator(np.random.Philox(seed))
    latents = random.standard_normal((count, latent_dim), dtype=np.float32)
    if truncation is not None:
        for number, row in enumerate(latents):
            # From a generator of its own, so that one image's numbers do not depend on how many others were
            # drawn again.
            again = np.random.Generator(np.random.Philox([seed, number, 1]))
            while (beyond := np.abs(row) > truncation).any():
                row[beyond] = again.standard_normal(int(beyond.sum()), dtype=np.float32)
    return latents


def draw_all(generator: Generator, latents: Array, labels: Array | None, context: JobContext) -> Array:
    """Draws uint8 (count, height, width, channels) from latents (count, latent_dim), and tells how far it is.

    Raises:
        Stopped: asked to stop.
    """
    parts, count = [], len(latents)
    for first in range(0, count, BATCH):
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at image {first} of {count}: {reason}")
        part = slice(first, min(first + BATCH, count))
        parts.append(draw(generator.network, latents[part], None if labels is None else labels[part]))
        context.report(Progress(part.stop, count, f"image {part.stop}/{count}"))
    return np.concatenate(parts)


def draw(network: keras.Model, latents: Array, labels: Array | None = None) -> Array:
    """Draws uint8 (count, height, width, channels) from at most `BATCH` latents (count, latent_dim).

    Args:
        network: a generator; a conditional one takes latents and int32 labels.
        latents: what is drawn from.
        labels: numbers of the classes (count,), for a conditional generator.
    """
    inputs = [_padded(latents.astype(np.float32))]
    if labels is not None:
        inputs.append(_padded(labels.astype(np.int32)))
    images = network(inputs if labels is not None else inputs[0], training=False)
    pixels = np.asarray(tf.cast(images, tf.float32))[: len(latents)]
    return np.clip(np.rint((pixels + 1.0) * 127.5), 0, 255).astype(np.uint8)


def _padded(rows: Array) -> Array:
    padded = np.zeros((BATCH, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded
