"""Makes a labelled data set of a conditional GAN's samples, and measures what it adds to real images."""

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.errors import BadInput
from jobs.gan.evaluate import checked_data, checked_labels
from jobs.gan.generate import Generator, draw_all, draw_latents, load_generator
from jobs.gan.measures import classifier
from jobs.gan.measures.questions import Questions
from jobs.gan.uses import Augmentation, AugmentDataSet
from jobs.pictures import bars

#: Classifiers of each kind: one alone may be lucky.
CLASSIFIERS = 3
MOST_HELD_OUT = 5_000
SEEN = (
    "the model was trained on the held-out images, too: for a figure that holds for new ones, give 'dataset' "
    "images that it has not seen"
)


def run(spec: AugmentDataSet, context: JobContext) -> Augmentation:
    """Saves the data set, `effect.png` and `effect.json`.

    Raises:
        BadInput: the model is not a conditional GAN, the real images have other classes, or there is a data
            set of that name with other content.
        Stopped: asked to stop.
    """
    generator = load_generator(spec.model, context)
    if not generator.class_names:
        raise BadInput(
            f"job {spec.model} is not conditional: train with conditional=true for labelled samples"
        )
    data = checked_data(spec.dataset or generator.spec.dataset, generator, context)
    checked_labels(data, generator)
    samples = _samples(generator, spec, context)
    # First, so that a name that is taken is known before the long part.
    context.save_data_set(spec.name, samples)
    rows = np.random.Generator(np.random.Philox([spec.seed, 6])).permutation(len(data))
    real = rows[: min(spec.real, len(data) // 2)]
    held_out = rows[len(real) :][:MOST_HELD_OUT]
    plain, augmented = _accuracies(data, samples, real, held_out, spec.seed, context)
    effect = Augmentation(
        dataset=spec.name,
        count=len(samples),
        real=len(real),
        held_out=len(held_out),
        accuracy=float(np.mean(plain)),
        augmented_accuracy=float(np.mean(augmented)),
        accuracies=tuple(plain),
        augmented_accuracies=tuple(augmented),
        remark=SEEN if spec.dataset in (None, generator.spec.dataset) else "",
    )
    context.save_artifact("effect.json", effect.model_dump_json(indent=2).encode())
    names = [f"{len(real):,} real images", f"and {len(samples):,} samples"]
    context.save_artifact(
        "effect.png", bars(dict(zip(names, (plain, augmented), strict=True)), "accuracy on held-out images")
    )
    return effect


def _samples(generator: Generator, spec: AugmentDataSet, context: JobContext) -> ImageSet:
    """So many samples of each class, the classes in turn."""
    count = spec.per_class * len(generator.class_names)
    labels = np.arange(count, dtype=np.int64) % len(generator.class_names)
    latents = draw_latents(spec.seed, count, generator.spec.latent_dim)
    return ImageSet(draw_all(generator, latents, labels, context), labels, generator.class_names)


def _accuracies(
    data: ImageSet, samples: ImageSet, real: Array, held_out: Array, seed: int, context: JobContext
) -> tuple[list[float], list[float]]:
    """On held-out rows, of classifiers trained on real rows alone, and on these and the samples.

    Both take equally many steps from the same weights.
    """
    looked_at = np.concatenate([real, held_out])
    images = np.concatenate([data.images[looked_at], samples.images])
    labels: Array = np.concatenate([np.asarray(data.labels)[looked_at], samples.labels])
    classes = Questions((len(data.class_names),), labels)
    real, held_out = np.arange(len(real)), np.arange(len(real), len(looked_at))
    both = np.concatenate([real, np.arange(len(looked_at), len(images))])
    accuracies: tuple[list[float], list[float]] = ([], [])
    for number in range(CLASSIFIERS):
        for found, rows in zip(accuracies, (real, both), strict=True):
            network = classifier.build(data.shape, classes.answers, seed + number)
            classifier.train(network, images, classes, rows, seed + number, context)
            found.append(classifier.accuracy(network, images, classes, held_out))
        context.report(Progress(number + 1, CLASSIFIERS, f"classifiers {number + 1}/{CLASSIFIERS}"))
    return accuracies
