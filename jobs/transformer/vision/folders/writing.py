"""A network as a folder that `AutoModelForImageClassification` loads."""

import json
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from jobs.pretrained.files import CONFIG, PREPROCESSOR, WEIGHTS
from jobs.transformer.vision.folders.described import ARCHITECTURES
from jobs.transformer.vision.folders.tensors import written
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan

FILES = (CONFIG, PREPROCESSOR, WEIGHTS)


def can_write(plan: Plan) -> bool:
    """Whether there is such a folder: of plain Transformers, of images that patches cover exactly."""
    return plan.architecture == "vit" and not any(side % plan.patch for side in plan.shape[:2])


def write_folder(network: Network, folder: Path) -> None:
    """Writes config.json, model.safetensors and preprocessor_config.json; see `can_write`."""
    folder.mkdir(parents=True, exist_ok=True)
    family = "vit" if network.plan.special == 1 else "deit"
    save_file(written(network, family), folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(_text(config_of(network.plan, family)))
    (folder / PREPROCESSOR).write_text(_text(preprocessor_of(network.plan, family)))


def config_of(plan: Plan, family: str) -> dict[str, Any]:
    """What config.json says."""
    height, width, channels = plan.shape
    return {
        "model_type": family,
        "architectures": [ARCHITECTURES[family][plan.reads - 1]],
        "image_size": height if height == width else [height, width],
        "num_channels": channels,
        "patch_size": plan.patch,
        "hidden_size": plan.width,
        "num_hidden_layers": plan.depth,
        "num_attention_heads": plan.heads,
        "intermediate_size": plan.inner,
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


def preprocessor_of(plan: Plan, family: str) -> dict[str, Any]:
    """What preprocessor_config.json says."""
    height, width, channels = plan.shape
    return {
        "image_processor_type": {"vit": "ViTImageProcessor", "deit": "DeiTImageProcessor"}[family],
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
