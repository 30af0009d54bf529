"""Trains a GAN and leaves its generator, pictures and curves."""

import json
import math
import warnings

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import save

from jobs.context import JobContext
from jobs.datasets.images import ImageSet
from jobs.errors import BadInput
from jobs.gan.generate import draw, draw_latents
from jobs.gan.models import Gan
from jobs.gan.spec import GanResult, TrainGan
from jobs.pictures import curves, grid
from jobs.training import Trained, train

#: Enough for the default networks to draw digits of mnist-5k that a person recognises; 25,000 are not.
DEFAULT_STEPS = 40_000
PICTURES = 15
GRID = 64


def run(spec: TrainGan, context: JobContext) -> GanResult:
    """Trains, and saves `generator.keras`, `generator.safetensors`, `samples.png`, `losses.png`.

    Raises:
        BadInput: fewer than two images, or no labels for a conditional GAN.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    data = context.image_set(spec.dataset)
    batch_size = checked_batch_size(spec, data)
    epochs = spec.epochs or math.ceil(DEFAULT_STEPS / (len(data) // batch_size))
    every = spec.sample_every or math.ceil(epochs / PICTURES)
    keras.utils.set_random_seed(spec.seed)
    classes = checked_classes(spec, data)
    arrays = {"images": data.images}
    if classes and data.labels is not None:
        arrays["labels"] = data.labels.astype(np.int32)
    model = Gan(spec, data.shape, len(classes))
    latents = draw_latents(spec.seed, GRID, spec.latent_dim)
    labels = np.arange(GRID) % len(classes) if classes else None  # each class in turn

    def sample(epoch: int, step: int) -> None:
        if epoch % every == 0 or epoch == epochs:
            context.save_sample(step, grid(draw(model.average, latents, labels)))

    trained = train(
        model,
        arrays,
        spec,
        context,
        epochs=epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        at_epoch_end=sample,
    )
    _save(model, trained, data, context)
    context.save_artifact("samples.png", grid(draw(model.average, latents, labels)))
    return GanResult(
        steps=trained.steps,
        epochs=epochs,
        d_loss=float(trained.history["d_loss"][-1]),
        g_loss=float(trained.history["g_loss"][-1]),
        seconds=trained.seconds,
        images_per_second=trained.steps_per_second * batch_size,
        state_sha256=trained.state_sha256,
    )


def checked_batch_size(spec: TrainGan, data: ImageSet) -> int:
    """The images a step: as asked, or the whole set if it is smaller.

    Raises:
        BadInput: fewer than two images.
    """
    if len(data) < 2:
        raise BadInput(f"the data set {spec.dataset!r} has one image; a GAN needs at least 2 to learn from")
    return min(spec.batch_size, len(data))


def checked_classes(spec: TrainGan, data: ImageSet) -> tuple[str, ...]:
    """The classes that a conditional GAN learns to draw; none if it is not conditional.

    Raises:
        BadInput: the data set has no labels.
    """
    if spec.conditional and data.labels is None:
        raise BadInput(
            f"the data set {spec.dataset!r} has no labels, and conditional=true needs them: upload a folder "
            "with a sub-folder for each class, or leave out 'conditional'"
        )
    return data.class_names if spec.conditional else ()


def _save(
    model: Gan,
    trained: Trained,
    data: ImageSet,
    context: JobContext,
) -> None:
    path = context.folder / "generator.keras"
    with warnings.catch_warnings():
        # Keras converts a tf.Variable in a way that NumPy 2 announces the end of.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.average.save(path)
    context.save_artifact("generator.keras", path)
    weights = {
        f"{number:03d}": np.asarray(tf.identity(weight.value))
        for number, weight in enumerate(model.average.weights)
    }
    about = {"shape": json.dumps(data.shape)}
    if model.spec.conditional:
        about["class_names"] = json.dumps(data.class_names)
    context.save_artifact("generator.safetensors", save(weights, about))
    context.save_artifact(
        "losses.png", curves(trained.history, x_label="epoch", y_label="binary cross-entropy")
    )
