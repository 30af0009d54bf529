"""ViT-S in PyTorch: `python -m bench.torch_vision train|classify SIDE SECONDS`.

It prints images a second, and for two seconds of the processors. Bfloat16 by autocast, channels last.
`logits FOLDER IMAGES OUT` saves what a folder makes of images that are scaled already, `make FAMILY FOLDER`
a checkpoint of random weights. A process of its own, so that two libraries do not share threads.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from bench.vision import BATCH, CLASSES, DEPTH, HEADS, WIDTH, rate


def model(side: int) -> torch.nn.Module:
    """With the sizes of `bench.vision.network`."""
    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        image_size=side,
        patch_size=side // 8,
        num_labels=CLASSES,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return ViTForImageClassification(config).to(memory_format=torch.channels_last)


def train(side: int, seconds: float) -> tuple[float, float]:
    """Images in training, AdamW and clipping included."""
    net = model(side).train()
    adamw = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05, fused=True)
    images = torch.rand(BATCH, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (BATCH,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pixel_values=images).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adamw.step()

    return rate(step, BATCH, seconds)


def classify(side: int, seconds: float) -> tuple[float, float]:
    """Images without gradients."""
    net = model(side).eval().to(torch.bfloat16)
    images = torch.rand(256, 3, side, side).to(torch.bfloat16).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def step() -> None:
        net(pixel_values=images).logits.float().numpy()

    return rate(step, 256, seconds)


def logits(folder: str, images: str, out: str) -> None:
    """Saves what a folder makes of images."""
    said = json.loads((Path(folder) / "config.json").read_text())["architectures"]
    teacher = said == ["DeiTForImageClassificationWithTeacher"]
    kind = DeiTForImageClassificationWithTeacher if teacher else AutoModelForImageClassification
    net = kind.from_pretrained(folder).eval()
    with torch.inference_mode():
        np.save(out, net(pixel_values=torch.from_numpy(np.load(images))).logits.numpy())


def make(family: str, folder: str) -> None:
    """Saves a small checkpoint whose weights are far from 0 and 1, for images of 32 x 32."""
    torch.manual_seed(0)
    plain = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    swin = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "patch_size": 2}
    sizes = swin if family == "swin" else {**plain, "patch_size": 8}
    name = family.removesuffix("-teacher")
    config = AutoConfig.for_model(name, image_size=32, num_labels=CLASSES, **sizes)
    made = {
        "vit": ViTForImageClassification,
        "deit": DeiTForImageClassification,
        "deit-teacher": DeiTForImageClassificationWithTeacher,
        "swin": SwinForImageClassification,
    }
    net = made[family](config)
    with torch.no_grad():
        for weight in net.parameters():
            weight += 0.05 * torch.randn_like(weight)
    net.save_pretrained(folder)
    print(f"{family}: {transformers.__version__}", flush=True)
    about = {"do_normalize": True, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    about |= {"do_rescale": True, "rescale_factor": 1 / 255, "size": {"height": 32, "width": 32}}
    kind = {"vit": "ViT", "deit": "DeiT", "swin": "ViT"}[name]
    about |= {"image_processor_type": f"{kind}ImageProcessor", "do_resize": True}
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(about))


if __name__ == "__main__":
    if sys.argv[1] == "logits":
        logits(*sys.argv[2:])
    elif sys.argv[1] == "make":
        make(*sys.argv[2:])
    else:
        print(*{"train": train, "classify": classify}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3])))
