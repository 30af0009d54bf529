"""The generator that a training has left."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.gan.style.networks.generator import build_generator
from jobs.gan.style.networks.size import HALVINGS, Size
from jobs.gan.style.painting import Painter, painter
from jobs.gan.style.spec import TrainStyle

Array = np.ndarray[Any, Any]

#: The artifact of a training that has the generator.
WEIGHTS = "generator.safetensors"
#: What it says of it.
ABOUT = ("channels", "width", "blocks", "crop")


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained generator and what it was trained as.

    Attributes:
        draw: translates pictures.
        job_id: of its training.
        spec: of its training.
        channels: of its pictures.
        crop: side of the squares that it has learnt from.
        size: of its generator.
    """

    draw: Painter
    job_id: str
    spec: TrainStyle
    channels: int
    crop: int
    size: Size


def load(job_id: str, context: JobContext) -> Trained:
    """The generator of a finished training; it is built from numbers and filled from a safetensors file.

    Raises:
        BadInput: the job is no training of style, or its weights are not there or do not fit.
    """
    digest = context.digest_of(job_id, WEIGHTS)
    return context.in_memory(f"style {digest}", lambda: _loaded(job_id, context))


def _loaded(job_id: str, context: JobContext) -> tuple[Trained, int]:
    spec = context.spec_of(job_id)
    if not isinstance(spec, TrainStyle):
        raise BadInput(f"job {job_id} is a {spec.kind}; 'model' takes a finished {TrainStyle.kind}")
    about, weights = _read(context.artifact_of(job_id, WEIGHTS), job_id)
    size = Size(about["width"], about["blocks"], "unet" if about["unet"] else "resnet", about["halvings"])
    network = build_generator(size, about["channels"], "float32")
    if [weight.shape for weight in weights] != [tuple(weight.shape) for weight in network.weights]:
        raise BadInput(f"the weights of job {job_id} do not fit its spec; train it again")
    network.set_weights(weights)
    found = Trained(painter(network, about["channels"]), job_id, spec, about["channels"], about["crop"], size)
    return found, sum(weight.nbytes for weight in weights)


def _read(path: Path, job_id: str) -> tuple[dict[str, int], list[Array]]:
    try:
        with safe_open(path, framework="numpy") as file:
            said = json.loads(file.metadata()["generator"])
            # Of an earlier version there is no U-Net.
            said = {"unet": 0, "halvings": HALVINGS, **said}
            about = {name: int(said[name]) for name in (*ABOUT, "unet", "halvings")}
            return about, [file.get_tensor(name) for name in sorted(file.keys())]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error
