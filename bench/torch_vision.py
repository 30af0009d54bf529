"""ViT-S in PyTorch: `python -m bench.torch_vision train|classify SIDE SECONDS` prints images a second.

Bfloat16 by autocast, channels last, after a warm-up. `logits FOLDER IMAGES OUT` saves the logits of a folder
for images that are scaled already. A process of its own, so that two libraries do not share threads.
"""

import sys
import time

import numpy as np
import torch
from transformers import AutoModelForImageClassification, ViTConfig, ViTForImageClassification

from bench.vision import BATCH, CLASSES, DEPTH, HEADS, WIDTH


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


def train(side: int, seconds: float) -> float:
    """Images a second in training, AdamW and clipping included."""
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


def classify(side: int, seconds: float) -> float:
    """Images a second without gradients."""
    net = model(side).eval().to(torch.bfloat16)
    images = torch.rand(256, 3, side, side).to(torch.bfloat16).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def step() -> None:
        net(pixel_values=images).logits.float().numpy()

    return rate(step, 256, seconds)


def rate(step, count: int, seconds: float) -> float:
    """How many a second."""
    for _ in range(2):
        step()
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        step()
        done += count
    return done / (time.monotonic() - began)


def logits(folder: str, images: str, out: str) -> None:
    """Saves what a folder makes of images."""
    net = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        np.save(out, net(pixel_values=torch.from_numpy(np.load(images))).logits.numpy())


if __name__ == "__main__":
    if sys.argv[1] == "logits":
        logits(*sys.argv[2:])
    else:
        print({"train": train, "classify": classify}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3])))
