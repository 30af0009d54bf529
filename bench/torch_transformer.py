"""Training steps with PyTorch: `python -m bench.torch_transformer FOLDER BATCH SECONDS MODE`.

MODE is `padded` (float32, all texts as long as the longest may be), `float32` or `bfloat16` (batches by
length, padded to their longest text; autocast). PyTorch at its best: attention by
`scaled_dot_product_attention`, AdamW fused, gradients clipped by `foreach`. The last line: examples a second,
the same by processor time, peak memory in MiB, seconds before.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from bench.tweets import Tweets, timed

FIXED = 64


class Training:
    """The model, its optimizer, and one step."""

    def __init__(self, folder: Path, mode: str, seed: int = 0) -> None:
        torch.manual_seed(seed)
        torch.set_num_threads(os.cpu_count() or 1)
        self.mode, self.tweets = mode, Tweets(folder / "rows.npz")
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder / "checkpoint", num_labels=2, attn_implementation="sdpa"
        ).train()
        decayed = {True: [], False: []}
        for name, weight in self.model.named_parameters():
            decayed["bias" not in name and "LayerNorm" not in name].append(weight)
        groups = [
            {"params": decayed[True], "weight_decay": 0.01},
            {"params": decayed[False], "weight_decay": 0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=5e-5, fused=True)

    def step(self, rows: np.ndarray) -> None:
        """One update by a batch of these rows."""
        labels = torch.from_numpy(self.tweets.labels[rows]).long()
        self.adamw.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mode == "bfloat16"):
            loss = torch.nn.functional.cross_entropy(self.logits(rows).float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        self.adamw.step()

    def logits(self, rows: np.ndarray) -> torch.Tensor:
        """Of these rows, (rows, classes)."""
        width = FIXED if self.mode == "padded" else self.tweets.longest(rows)
        tokens = torch.from_numpy(self.tweets.padded(rows, width)).long()
        mask = torch.from_numpy(np.arange(width) < self.tweets.lengths[rows, np.newaxis]).long()
        return self.model(input_ids=tokens, attention_mask=mask).logits


def main(folder: Path, batch: int, seconds: float, mode: str) -> None:
    began = time.monotonic()
    training = Training(folder, mode)
    batches = training.tweets.sample(batch)
    for rows in sorted(batches, key=training.tweets.longest)[:: len(batches) // 6]:
        training.step(rows)
    before = time.monotonic() - began
    print(*timed(training.step, batches, seconds), before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
