"""Question answering with PyTorch and transformers: `python -m bench.torch_answering FOLDER SEED`.

Trains on the rows of `bench.answering` in bfloat16 (autocast), batches of about the same length, and leaves
the logits of the test rows. The last line: windows trained on a second, and test windows computed a second.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, get_linear_schedule_with_warmup

from bench.answering import BATCH, EPOCHS, LEARNING_RATE

WARM_UP = 0.1


def main(folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    train, test = (dict(np.load(folder / f"{name}.npz")) for name in ("train", "test"))
    model = AutoModelForQuestionAnswering.from_pretrained(folder / "checkpoint", attn_implementation="sdpa")
    trained = fit(model.train(), train, seed)
    model.eval()
    logits = np.zeros((*test["tokens"].shape, 2), np.float32)
    began = time.monotonic()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for rows in batches(test["lengths"], np.arange(len(logits))):
            found = outputs(model, test, rows)
            logits[rows, : found.shape[1]] = found.float().numpy()
    speed = len(logits) / (time.monotonic() - began)
    np.savez(folder / "logits.npz", logits=logits)
    print(trained, speed)


def fit(model: torch.nn.Module, data: dict[str, np.ndarray], seed: int) -> float:
    """Windows a second."""
    decayed: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for name, weight in model.named_parameters():
        decayed["bias" not in name and "LayerNorm" not in name].append(weight)
    groups = [{"params": decayed[True], "weight_decay": 0.01}, {"params": decayed[False], "weight_decay": 0}]
    adamw = torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)
    count, draws = len(data["lengths"]), np.random.default_rng(seed)
    steps = EPOCHS * -(-count // BATCH)
    schedule = get_linear_schedule_with_warmup(adamw, int(WARM_UP * steps), steps)
    began = time.monotonic()
    for _ in range(EPOCHS):
        order = list(batches(data["lengths"], draws.permutation(count)))
        for number in draws.permutation(len(order)):
            step(model, data, order[number], adamw)
            schedule.step()
    return EPOCHS * count / (time.monotonic() - began)


def step(
    model: torch.nn.Module, data: dict[str, np.ndarray], rows: np.ndarray, adamw: torch.optim.Optimizer
) -> None:
    adamw.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        logits = outputs(model, data, rows)
    targets = (torch.from_numpy(data[name][rows]).long() for name in ("begins", "ends"))
    losses = [
        torch.nn.functional.cross_entropy(logits[..., number].float(), target)
        for number, target in enumerate(targets)
    ]
    (sum(losses) / 2).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
    adamw.step()


def outputs(model: torch.nn.Module, data: dict[str, np.ndarray], rows: np.ndarray) -> torch.Tensor:
    """Logits of rows, (rows, width, 2)."""
    lengths, firsts = data["lengths"][rows, np.newaxis], data["firsts"][rows, np.newaxis]
    places = np.arange(-(-int(lengths.max()) // 8) * 8)
    found = model(
        input_ids=torch.from_numpy(data["tokens"][rows][:, : len(places)]).long(),
        attention_mask=torch.from_numpy(places < lengths).long(),
        token_type_ids=torch.from_numpy(places >= firsts).long(),
    )
    return torch.stack([found.start_logits, found.end_logits], dim=-1)


def batches(lengths: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of rows of about the same length, sorted within windows of fifty batches."""
    for first in range(0, len(order), 50 * BATCH):
        window = order[first : first + 50 * BATCH]
        window = window[np.argsort(lengths[window], kind="stable")]
        yield from (window[start : start + BATCH] for start in range(0, len(window), BATCH))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
