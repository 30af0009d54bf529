"""From a spec to the method's model, and from a finished job's file to the same."""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.selfsupervised.methods.autoencoder import Autoencoder
from jobs.selfsupervised.methods.contrastive import Contrastive
from jobs.selfsupervised.methods.learner import Learner
from jobs.selfsupervised.methods.masked import Masked
from jobs.selfsupervised.methods.vicreg import Vicreg
from jobs.selfsupervised.networks.shapes import Array, Shape
from jobs.selfsupervised.spec import TrainSelfSupervised

METHODS = {"autoencoder": Autoencoder, "masked": Masked, "contrastive": Contrastive, "vicreg": Vicreg}
WEIGHTS = "model.safetensors"


def build(spec: TrainSelfSupervised, shape: Shape) -> Learner:
    """The untrained model of a spec, the same in every process.

    Raises:
        BadInput: the images are too small for the method.
    """
    if spec.method == "masked" and max(shape[:2]) <= (spec.patch or 2):
        raise BadInput(
            f"images of {shape[0]} x {shape[1]} pixels are a single patch, and a masked model needs at "
            "least two; choose a smaller 'patch', or another method"
        )
    keras.utils.set_random_seed(spec.seed)
    model: Learner = METHODS[spec.method](spec, shape)
    return model


def to_bytes(model: Learner) -> bytes:
    """The weights as a safetensors file, with the shape of the images."""
    weights = {
        f"{number:03d}": np.asarray(tf.identity(weight.value))
        for number, weight in enumerate(_weights(model))
    }
    return bytes(save(weights, {"shape": json.dumps(model.shape)}))


def load(job_id: str, context: JobContext) -> Learner:
    """The trained model of a finished job.

    It is built from the job's spec and filled from its safetensors file: no code is loaded.

    Raises:
        BadInput: the job is no self-supervised training, or its weights are not there or do not fit.
    """
    digest = context.digest_of(job_id, WEIGHTS)
    return context.in_memory(f"selfsupervised {digest}", lambda: _loaded(job_id, context))


def _loaded(job_id: str, context: JobContext) -> tuple[Learner, int]:
    spec = context.spec_of(job_id)
    if not isinstance(spec, TrainSelfSupervised):
        raise BadInput(f"job {job_id} is a {spec.kind}, and this takes a selfsupervised.train")
    shape, weights = _read(context.artifact_of(job_id, WEIGHTS), job_id)
    model = build(spec, shape)
    variables = _weights(model)
    if [weight.shape for weight in weights] != [tuple(variable.shape) for variable in variables]:
        raise BadInput(f"the weights of job {job_id} do not fit its spec; train it again")
    for variable, weight in zip(variables, weights, strict=True):
        variable.assign(weight)
    return model, sum(weight.nbytes for weight in weights)


def _weights(model: Learner) -> list[keras.Variable]:
    """Those of the networks; what counts the steps of the training is left out."""
    return [
        variable for variable in model.weights if variable is not model.step and variable is not model.sums
    ]


def _read(path: Path, job_id: str) -> tuple[Shape, list[Array]]:
    try:
        with safe_open(path, framework="numpy") as file:
            height, width, channels = json.loads(file.metadata()["shape"])
            return (height, width, channels), [file.get_tensor(name) for name in sorted(file.keys())]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error
