"""Fine-tuning with PyTorch and transformers: `python -m bench.torch_finetuning FOLDER SEED`.

The settings are those of `bench.finetuning`, in float32; batches are of texts of about the same length. The
last line is the test accuracy, and the examples trained on a second.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import get_linear_schedule_with_warmup

from bench.torch_transformer import Training

BATCH, EPOCHS, WARM_UP = 32, 2, 0.1


def main(folder: Path, seed: int) -> None:
    training = Training(folder, "float32", seed)
    steps = EPOCHS * (len(training.tweets.train) // BATCH)
    schedule = get_linear_schedule_with_warmup(training.adamw, int(WARM_UP * steps), steps)
    draws = np.random.default_rng(seed)
    began = time.monotonic()
    for _ in range(EPOCHS):
        for rows in training.tweets.epoch(BATCH, draws):
            training.step(rows)
            schedule.step()
    speed = steps * BATCH / (time.monotonic() - began)
    print(tested(training), speed)


def tested(training: Training) -> float:
    """The share of the test rows that are told right."""
    training.model.eval()
    tweets, right = training.tweets, 0
    order = tweets.test[np.argsort(tweets.lengths[tweets.test])]
    with torch.inference_mode():
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            predicted = training.logits(rows).argmax(dim=1).numpy()
            right += int((predicted == tweets.labels[rows]).sum())
    return right / len(order)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
