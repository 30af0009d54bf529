"""A network as a folder that `AutoModelForImageClassification` loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from jobs.pretrained.files import CONFIG, PREPROCESSOR, WEIGHTS
from jobs.transformer.vision.folders.described import ARCHITECTURES
from jobs.transformer.vision.folders.swin import swin_config, swin_written
from jobs.transformer.vision.folders.tensors import heads_written, written
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan

FILES = (CONFIG, PREPROCESSOR, WEIGHTS)


def can_write(plan: Plan) -> bool:
    """Whether there is such a folder: of plain Transformers and Swin, where patches cover images exactly."""
    return plan.architecture in ("vit", "swin") and not any(side % plan.patch for side in plan.shape[:2])


def write_folder(network: Network, folder: Path) -> None:
    """Writes config.json, model.safetensors and preprocessor_config.json; see `can_write`."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = network.plan
    family = "swin" if plan.architecture == "swin" else "vit" if plan.special == 1 else "deit"
    encoder = swin_written(network) if family == "swin" else written(network)
    tensors = {f"{family}.{name}": each for name, each in encoder.items()} | heads_written(network)
    # By names that both version 4 and version 5 of transformers read.
    arrays = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(arrays, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(_text(config_of(plan, family)))
    (folder / PREPROCESSOR).write_text(_text(preprocessor_of(plan, family)))


def config_of(plan: Plan, family: str) -> dict[str, Any]:
    """What config.json says."""
    height, width, channels = plan.shape
    return {
        "model_type": family,
        "architectures": [ARCHITECTURES[family][plan.reads - 1]],
        "image_size": height if height == width else [height, width],
        "num_channels": channels,
        **(swin_config(plan) if family == "swin" else _sizes(plan)),
        "hidden_act": "gelu",
        "layer_norm_eps": plan.epsilon,
        "qkv_bias": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "id2label": {str(number): name for number, name in enumerate(plan.class_names)},
        "label2id": {name: number for number, name in enumerate(plan.class_names)},
        "problem_type": "single_label_classification",
        "dtype": "float32",
    }


def _sizes(plan: Plan) -> dict[str, Any]:
    return {
        "patch_size": plan.patch,
        "hidden_size": plan.width,
        "num_hidden_layers": plan.depth,
        "num_attention_heads": plan.heads,
        "intermediate_size": plan.inner,
    }


def preprocessor_of(plan: Plan, family: str) -> dict[str, Any]:
    """What preprocessor_config.json says."""
    height, width, channels = plan.shape
    return {
        "image_processor_type": "DeiTImageProcessor" if family == "deit" else "ViTImageProcessor",
        "do_resize": True,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "size": {"height": height, "width": width},
        "image_mean": _by_channel(plan.mean, channels),
        "image_std": _by_channel(plan.deviation, channels),
    }


def _by_channel(values: tuple[float, ...], channels: int) -> list[float]:
    return list(values) if len(values) == channels else [values[0]] * channels


def _text(about: dict[str, Any]) -> str:
    return json.dumps(about, indent=2, sort_keys=True) + "\n"
