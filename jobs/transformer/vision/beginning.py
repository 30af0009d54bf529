"""The network that a training begins with: a new one, a checkpoint, or a self-supervised job's encoder."""

import json
import math
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from jobs.context import JobContext
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.pretrained.sources import folder_of
from jobs.transformer.vision.folders.reading import read_folder
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan, default_convolutions, default_patch
from jobs.transformer.vision.spec import TrainImageClassifier

Array = np.ndarray[Any, Any]

PRETEXT = "selfsupervised.train"
#: Methods of self-supervised learning, each with the name of its encoder here.
ENCODERS = {"masked": "masked", "contrastive": "convolutional", "vicreg": "convolutional"}
#: Sides of an image at the most: attention grows with the fourth power of it.
LARGEST = 384
#: Arrays of a convolution with its batch normalisation.
_PER_CONVOLUTION = 5


def begun(spec: TrainImageClassifier, data: ImageSet, context: JobContext) -> Network:
    """The network before the first step, the same in every attempt.

    Raises:
        BadInput: the images are too large, or the job that it is to begin with has no such encoder, or one
            for images of another size.
    """
    if max(data.shape[:2]) > LARGEST:
        height, width, _ = data.shape
        raise BadInput(
            f"the images of {spec.dataset!r} are {height} x {width} pixels, and a side may have {LARGEST}; "
            f"upload them with --size, such as --size 224x224"
        )
    if spec.start is not None and (parent := context.spec_of(spec.start)).kind == PRETEXT:
        return _pretrained(spec, data, parent, context)
    if spec.pretrained is not None:
        folder = folder_of(spec.pretrained, context)
        return read_folder(folder, data.shape[:2], data.class_names, spec.seed)
    return Network(new_plan(spec, data), spec.seed)


def new_plan(spec: TrainImageClassifier, data: ImageSet) -> Plan:
    """A network of its own."""
    architecture = spec.network or "cct"
    count = spec.convolutions or default_convolutions(data.shape)
    return Plan(
        architecture=architecture,
        shape=data.shape,
        class_names=data.class_names,
        width=spec.width,
        depth=spec.depth,
        heads=spec.heads,
        inner=spec.inner or 2 * spec.width,
        patch=(spec.patch or default_patch(data.shape)) if architecture == "vit" else 0,
        # Each as wide as the one after it needs, at least half.
        filters=(*(max(4, spec.width // 2),) * (count - 1), spec.width) if architecture == "cct" else (),
    )


def _pretrained(spec: TrainImageClassifier, data: ImageSet, parent: Any, context: JobContext) -> Network:
    if parent.method not in ENCODERS:
        raise BadInput(
            f"job {spec.start} was trained by {parent.method!r}, whose encoder is not for this; 'start' "
            f"takes {', '.join(ENCODERS)}"
        )
    if spec.network is not None:
        raise BadInput(
            f"field 'network' is {spec.network!r}, and 'start' brings the encoder of job {spec.start}; leave "
            "one of them out"
        )
    shape, arrays = _read(context, str(spec.start))
    fitted(data.images[:1], shape, spec.dataset)  # says so if they are of another size
    network = Network(_plan_of(parent, shape, arrays, data.class_names), spec.seed)
    variables = network.encoder.weights
    if [array.shape for array in arrays[: len(variables)]] != [tuple(each.shape) for each in variables]:
        raise BadInput(f"the weights of job {spec.start} do not fit its spec; train it again")
    for variable, array in zip(variables, arrays, strict=False):
        variable.assign(array)
    return network


def _plan_of(
    parent: Any, shape: tuple[int, int, int], arrays: list[Array], class_names: tuple[str, ...]
) -> Plan:
    """The encoder comes first among the arrays, in the order of its layers."""
    identity: dict[str, Any] = {"mean": (0.0,), "deviation": (1.0,)}
    if parent.method == "masked":
        pixels, width = arrays[0].shape
        patch = math.isqrt(pixels // shape[2])
        return Plan("masked", shape, class_names, width, depth=parent.depth, patch=patch, **identity)
    filters = tuple(parent.filters)
    width = arrays[_PER_CONVOLUTION * len(filters)].shape[1]
    return Plan("convolutional", shape, class_names, width, filters=filters, **identity)


def _read(context: JobContext, job_id: str) -> tuple[tuple[int, int, int], list[Array]]:
    path = context.artifact_of(job_id, "model.safetensors")
    try:
        with safe_open(path, framework="numpy") as file:
            height, width, channels = json.loads(file.metadata()["shape"])
            return (height, width, channels), [file.get_tensor(name) for name in sorted(file.keys())]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error
