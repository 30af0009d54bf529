"""Trains a GAN and leaves its generator, pictures and curves."""

import json
import math
import warnings

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import save

from jobs.context import JobContext
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.gan.models import Gan, build_gan
from jobs.gan.networks import build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import GanResult, TrainGan
from jobs.gan.watching import DISTANCE, Watch
from jobs.pictures import curves
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.state import restore

#: Sides of images that convolutional networks are built for.
SMALLEST_SIDE, LARGEST_SIDE = 8, 128
#: Sets of fewer images are learnt by heart unless the discriminator sees changed ones.
FEW = 2_000


def run(spec: TrainGan, context: JobContext) -> GanResult:
    """Trains, and saves the best generator, `samples.png`, `filmstrip.gif`, and charts.

    Raises:
        BadInput: fewer than two images, or too small ones, or no labels for a conditional GAN.
        Diverged: a loss is not finite, or all images are alike.
        Stopped: asked to stop; the checkpoint is saved.
    """
    data = context.image_set(spec.dataset)
    rows = rows_of_a_step(spec, data)
    start = Start.of(context, spec)
    passes = start.passes(len(data), rows)
    epochs = spec.epochs or math.ceil(recipe(spec).steps / passes.steps)
    classes = checked_classes(spec, data)
    arrays = {"images": data.images}
    if classes and data.labels is not None:
        arrays["labels"] = data.labels.astype(np.int32)
    keras.utils.set_random_seed(spec.seed)
    model = build_gan(spec, data.shape, len(classes), augment=changes_images(spec, data))
    watch = Watch(spec, model.average, data, len(classes), epochs, context)
    trained = train(
        model,
        arrays,
        spec,
        context,
        epochs=epochs,
        batch_size=rows,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=model.recipe.jit,
        at_epoch_end=watch,
        judged=watch.judged,
        best=Best(DISTANCE, "min") if watch.judge else None,
        on_divergence=spec.on_divergence,
        start=start,
        every=watch.every,
    )
    if trained.best is not None:
        restore(model, trained.best)
    context.save_artifact("filmstrip.gif", watch.filmstrip())
    context.save_artifact("samples.png", watch.picture())
    _save(model, data, context)
    _draw_curves(trained, model.recipe.loss, context)
    return GanResult(
        steps=trained.steps,
        epochs=epochs,
        d_loss=float(trained.history["d_loss"][-1]),
        g_loss=float(trained.history["g_loss"][-1]),
        seconds=trained.seconds,
        images_per_second=trained.steps_per_second * rows,
        frechet_distance=trained.best_value if trained.best else None,
        floor_frechet_distance=watch.judge.floor if watch.judge else None,
        best_epoch=trained.best_step // passes.steps if trained.best and trained.best_step else None,
        rollbacks=trained.rollbacks,
        rows_repeated=passes.repeated,
        rows_left_out=passes.left_out,
        state_sha256=trained.state_sha256,
    )


def rows_of_a_step(spec: TrainGan, data: ImageSet) -> int:
    """Images that a step takes from the data set: a batch for each update of the discriminator.

    In a set too small for that, all updates of a step see the same batch; it may be the whole set.

    Raises:
        BadInput: fewer than two images, or images that are too small for convolutions.
    """
    if len(data) < 2:
        raise BadInput(f"the data set {spec.dataset!r} has one image; a GAN needs at least 2 to learn from")
    if spec.architecture != "mlp" and not all(
        SMALLEST_SIDE <= side <= LARGEST_SIDE for side in data.shape[:2]
    ):
        raise BadInput(
            f"the data set {spec.dataset!r} has images of {data.shape[0]} x {data.shape[1]} pixels, and "
            f"architecture {spec.architecture!r} takes sides from {SMALLEST_SIDE} to {LARGEST_SIDE}; resize "
            "them, or take architecture='mlp'"
        )
    chosen = recipe(spec)
    whole = chosen.batch_size * chosen.critic_steps
    return whole if whole <= len(data) else min(chosen.batch_size, len(data))


def changes_images(spec: TrainGan, data: ImageSet) -> bool:
    """Whether the discriminator sees images that are changed at random: as asked, or of a small set."""
    return spec.augment if spec.augment is not None else spec.architecture != "mlp" and len(data) < FEW


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


def _save(model: Gan, data: ImageSet, context: JobContext) -> None:
    # Made of Keras's own layers, whatever was trained: it opens where there is no Triptych.
    plain = build_generator(model.spec, data.shape, len(data.class_names) if model.spec.conditional else 0)
    for mine, weight in zip(plain.weights, model.average.weights, strict=True):
        mine.assign(weight)
    path = context.folder / "generator.keras"
    with warnings.catch_warnings():
        # Keras converts a tf.Variable in a way that NumPy 2 announces the end of.
        warnings.simplefilter("ignore", DeprecationWarning)
        plain.save(path)
    context.save_artifact("generator.keras", path)
    weights = {
        f"{number:03d}": np.asarray(tf.identity(weight.value)) for number, weight in enumerate(plain.weights)
    }
    about = {"shape": data.shape, "class_names": data.class_names if model.spec.conditional else ()}
    # One entry: the library writes several in an order that differs from process to process.
    context.save_artifact("generator.safetensors", save(weights, {"generator": json.dumps(about)}))


def _draw_curves(trained: Trained, loss: str, context: JobContext) -> None:
    # Names before `samples.png`, which is to be the last picture of a job.
    charts = {
        "losses.png": (("d_loss", "g_loss", "penalty"), loss.replace("_", " ")),
        "discriminator.png": (("d_real", "d_fake"), "what D makes of real and of generated images"),
    }
    for name, (metrics, label) in charts.items():
        shown = {metric: trained.history[metric] for metric in metrics if metric in trained.history}
        context.save_artifact(name, curves(shown, x_label="epoch", y_label=label))
    if (distances := trained.judged.get(DISTANCE)) is not None:
        epochs, there = np.arange(len(distances)), ~np.isnan(distances)
        between = {DISTANCE: np.interp(epochs, epochs[there], distances[there])}  # on a straight line
        context.save_artifact("quality.png", curves(between, x_label="epoch", y_label="Fréchet distance"))
