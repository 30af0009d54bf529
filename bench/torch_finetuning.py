"""Fine-tuning with PyTorch and transformers: `python -m bench.torch_finetuning FOLDER SEED`.

The settings are those of `bench.finetuning`; batches are of texts of about the same length. The last line is
the test accuracy, and the examples trained on a second.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup

BATCH, EPOCHS, LEARNING_RATE, DECAY, WARM_UP, WINDOW, MULTIPLE = 32, 2, 5e-5, 0.01, 0.1, 50, 8


class Rows:
    """Texts as tokens, in batches padded to their longest."""

    def __init__(self, path: Path) -> None:
        arrays = np.load(path)
        self.lengths, self.labels = arrays["lengths"], arrays["labels"].astype(np.int64)
        self.train, self.test = arrays["train"], arrays["test"]
        self._tokens = arrays["tokens"].astype(np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths

    def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """What the model is called with."""
        width = -(-int(self.lengths[rows].max()) // MULTIPLE) * MULTIPLE
        tokens = np.zeros((len(rows), width), np.int64)
        for line, row in zip(tokens, rows, strict=True):
            line[: self.lengths[row]] = self._tokens[self._starts[row] :][: self.lengths[row]]
        mask = np.arange(width) < self.lengths[rows, np.newaxis]
        return {
            "input_ids": torch.from_numpy(tokens),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
            "labels": torch.from_numpy(self.labels[rows]),
        }

    def epoch(self, draws: np.random.Generator) -> list[np.ndarray]:
        """The batches of an epoch, as `jobs.transformer.lengths` makes them."""
        order = draws.permutation(self.train)
        order = order[: len(order) // BATCH * BATCH]
        windows = [order[first : first + WINDOW * BATCH] for first in range(0, len(order), WINDOW * BATCH)]
        ordered = np.concatenate([window[np.argsort(self.lengths[window])] for window in windows])
        batches = ordered.reshape(-1, BATCH)
        return list(batches[draws.permutation(len(batches))])


def main(folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    rows = Rows(folder / "rows.npz")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "checkpoint", num_labels=2).train()
    decayed = [
        weight for name, weight in model.named_parameters() if "bias" not in name and "LayerNorm" not in name
    ]
    others = [weight for name, weight in model.named_parameters() if "bias" in name or "LayerNorm" in name]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=LEARNING_RATE, foreach=True)
    steps = EPOCHS * (len(rows.train) // BATCH)
    schedule = get_linear_schedule_with_warmup(adamw, int(WARM_UP * steps), steps)
    draws = np.random.default_rng(seed)
    began = time.monotonic()
    for _ in range(EPOCHS):
        for batch in rows.epoch(draws):
            adamw.zero_grad()
            model(**rows.batch(batch)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adamw.step()
            schedule.step()
    speed = steps * BATCH / (time.monotonic() - began)
    print(tested(model, rows), speed)


def tested(model: torch.nn.Module, rows: Rows) -> float:
    model.eval()
    right = 0
    order = rows.test[np.argsort(rows.lengths[rows.test])]
    with torch.inference_mode():
        for first in range(0, len(order), BATCH):
            batch = rows.batch(order[first : first + BATCH])
            right += int((model(**batch).logits.argmax(dim=1) == batch["labels"]).sum())
    return right / len(order)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
