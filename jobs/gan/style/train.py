"""Trains a generator that gives pictures of one set the look of another, and leaves it and its pictures."""

import json
import math

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import save

from jobs.context import JobContext
from jobs.gan.style.data import Sets, sets_of
from jobs.gan.style.methods.building import build
from jobs.gan.style.methods.game import StyleGame
from jobs.gan.style.partners import validated
from jobs.gan.style.recipes import FEW, Recipe, recipe_for
from jobs.gan.style.spec import StyleTraining, TrainStyle
from jobs.gan.style.trained import WEIGHTS
from jobs.gan.style.watching import CONTENT, DISTANCE, Watch
from jobs.pictures import curves
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.state import restore


def run(spec: TrainStyle, context: JobContext) -> StyleTraining:
    """Trains, and saves the best generator, `samples.png`, `filmstrip.gif`, and charts.

    Raises:
        BadInput: a set has one picture or too small ones, or both hold the same.
        Diverged: a loss is not finite, all pictures have become alike, or are what they were.
        Stopped: asked to stop; the checkpoint is saved.
    """
    sets = sets_of(spec, context)
    recipe = recipe_for(spec, sets.crop, sets.classes)
    data = sets.rows(spec.seed)
    rows = min(recipe.batch_size, len(data["source"]))
    start = Start.of(context, spec)
    passes = start.passes(len(data["source"]), rows)
    epochs = spec.epochs or math.ceil(recipe.steps / passes.steps)
    keras.utils.set_random_seed(spec.seed)
    few = len(sets.learnt if sets.paired else sets.target) < FEW
    augment = spec.augment if spec.augment is not None else few
    flip = spec.flip if spec.flip is not None else sets.channels > 1
    model = build(spec, recipe, sets.shape, flip=flip, augment=augment, classes=sets.classes)
    watch = Watch(spec, sets, model.average, model.back, epochs, context)
    trained = train(
        model,
        data,
        spec,
        context,
        epochs=epochs,
        batch_size=rows,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,  # XLA makes convolutions slower on a CPU
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
    _save(model, sets, recipe, context)
    _draw_curves(trained, context)
    judge = watch.judge
    return StyleTraining(
        steps=trained.steps,
        epochs=epochs,
        crop=sets.crop,
        channels=sets.channels,
        d_loss=float(trained.history["d_loss"][-1]),
        g_loss=float(trained.history["g_loss"][-1]),
        seconds=trained.seconds,
        images_per_second=trained.steps_per_second * rows,
        frechet_distance=trained.best_value if trained.best else None,
        source_frechet_distance=judge.source.frechet_distance if judge else None,
        floor_frechet_distance=judge.floor if judge else None,
        content_kept=_content_of_the_best(trained),
        source_content=judge.source.content if judge else None,
        classifier_accuracy=judge.accuracy if judge else None,
        validation=validated(watch.draw, sets, spec.seed),
        best_epoch=trained.best_step // passes.steps if trained.best and trained.best_step else None,
        rollbacks=trained.rollbacks,
        rows_repeated=passes.repeated,
        remark="; ".join(filter(None, (sets.remark, watch.remark))),
        state_sha256=trained.state_sha256,
    )


def _content_of_the_best(trained: Trained) -> float | None:
    if trained.best is None or CONTENT not in trained.judged:
        return None
    return float(trained.judged[CONTENT][int(np.nanargmin(trained.judged[DISTANCE]))])


def _save(model: StyleGame, sets: Sets, recipe: Recipe, context: JobContext) -> None:
    weights = {
        f"{number:03d}": np.asarray(tf.identity(weight.value))
        for number, weight in enumerate(model.average.weights)
    }
    about = {
        "channels": sets.channels,
        "crop": sets.crop,
        "width": recipe.channels,
        "blocks": recipe.blocks,
    }
    if (size := recipe.size(sets.crop)).network == "unet":
        about |= {"unet": 1, "halvings": size.halvings}
    # One entry: the library writes several in an order that differs from process to process.
    context.save_artifact(WEIGHTS, save(weights, {"generator": json.dumps(about)}))


def _draw_curves(trained: Trained, context: JobContext) -> None:
    # Names before `samples.png`, which is to be the last picture of a job.
    history = trained.history
    losses = {name: values for name, values in history.items() if name not in ("d_real", "d_fake")}
    context.save_artifact("losses.png", curves(losses, x_label="epoch", y_label="loss"))
    scores = {name: history[name] for name in ("d_real", "d_fake")}
    label = "what D makes of target and of translated pictures"
    context.save_artifact("discriminator.png", curves(scores, x_label="epoch", y_label=label))
    if (distances := trained.judged.get(DISTANCE)) is not None:
        epochs, there = np.arange(len(distances)), ~np.isnan(distances)
        between = {DISTANCE: np.interp(epochs, epochs[there], distances[there])}  # on a straight line
        context.save_artifact("quality.png", curves(between, x_label="epoch", y_label="Fréchet distance"))
