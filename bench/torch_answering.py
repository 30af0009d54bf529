"""Question answering with PyTorch and transformers: what `bench.answering` calls in processes of its own.

    python -m bench.torch_answering quality FOLDER SEED     trains, and leaves the logits of the test rows
    python -m bench.torch_answering speed FOLDER            windows trained on, and answered, a second
    python -m bench.torch_answering make FAMILY FOLDER      a checkpoint of random weights
    python -m bench.torch_answering logits FOLDER ROWS OUT  what a folder makes of rows

Training is in bfloat16 (autocast), in batches of about the same length. The last line is what was measured.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering, get_linear_schedule_with_warmup

from bench.answering import ANSWERED, BATCH, BATCHES, EPOCHS, LEARNING_RATE, rate

WARM_UP = 0.1
Arrays = dict[str, np.ndarray]


def quality(folder: Path, seed: int) -> float:
    """Processor seconds of a training."""
    torch.manual_seed(seed)
    train, test = (dict(np.load(folder / f"{name}.npz")) for name in ("train", "test"))
    model = loaded(folder / "checkpoint")
    began = time.process_time()
    fit(model.train(), train, seed)
    spent = time.process_time() - began
    model.eval()
    logits = np.zeros((*test["tokens"].shape, 2), np.float32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for rows in batches(test["lengths"], np.arange(len(logits))):
            found = outputs(model, test, rows)
            logits[rows, : found.shape[1]] = found.float().numpy()
    np.savez(folder / "logits.npz", logits=logits)
    return spent


def speed(folder: Path) -> tuple[float, ...]:
    """Windows trained on, windows answered; see `bench.answering.rate`."""
    torch.manual_seed(0)
    data = dict(np.load(folder / "train.npz"))
    model = loaded(folder / "checkpoint").train()
    adamw, order = optimizer(model), np.load(folder / "order.npy")

    def trained() -> None:
        for rows in order:
            step(model, data, rows, adamw)

    first = rate(trained, BATCHES * BATCH)
    # Weights in bfloat16 rather than autocast, which would convert them anew for each batch.
    asked, batched = model.eval().to(torch.bfloat16), np.load(folder / "answered.npy")

    @torch.inference_mode()
    def answered() -> None:
        for rows in batched:
            outputs(asked, data, rows).float().numpy()

    return *first, *rate(answered, len(batched) * ANSWERED)


def loaded(folder: Path) -> torch.nn.Module:
    return AutoModelForQuestionAnswering.from_pretrained(folder, attn_implementation="sdpa")


def optimizer(model: torch.nn.Module) -> torch.optim.AdamW:
    """Weight decay on all but biases and normalisations."""
    decayed: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for name, weight in model.named_parameters():
        decayed["bias" not in name and "LayerNorm" not in name].append(weight)
    groups = [{"params": decayed[True], "weight_decay": 0.01}, {"params": decayed[False], "weight_decay": 0}]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)


def fit(model: torch.nn.Module, data: Arrays, seed: int) -> None:
    adamw = optimizer(model)
    count, draws = len(data["lengths"]), np.random.default_rng(seed)
    steps = EPOCHS * -(-count // BATCH)
    schedule = get_linear_schedule_with_warmup(adamw, int(WARM_UP * steps), steps)
    for _ in range(EPOCHS):
        order = list(batches(data["lengths"], draws.permutation(count)))
        for number in draws.permutation(len(order)):
            step(model, data, order[number], adamw)
            schedule.step()


def step(model: torch.nn.Module, data: Arrays, rows: np.ndarray, adamw: torch.optim.Optimizer) -> None:
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


def outputs(model: torch.nn.Module, data: Arrays, rows: np.ndarray) -> torch.Tensor:
    """Logits of rows, (rows, width, 2)."""
    lengths, firsts = data["lengths"][rows, np.newaxis], data["firsts"][rows, np.newaxis]
    width = min(-(-int(lengths.max()) // 8) * 8, data["tokens"].shape[1])
    places = np.arange(width)
    given = {
        "input_ids": torch.from_numpy(data["tokens"][rows][:, :width]).long(),
        "attention_mask": torch.from_numpy(places < lengths).long(),
    }
    if getattr(model.config, "type_vocab_size", 1) > 1:
        given["token_type_ids"] = torch.from_numpy(places >= firsts).long()
    found = model(**given)
    return torch.stack([found.start_logits, found.end_logits], dim=-1)


def batches(lengths: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of rows of about the same length, sorted within windows of fifty batches."""
    for first in range(0, len(order), 50 * BATCH):
        window = order[first : first + 50 * BATCH]
        window = window[np.argsort(lengths[window], kind="stable")]
        yield from (window[start : start + BATCH] for start in range(0, len(window), BATCH))


def make(family: str, folder: Path) -> None:
    """A small checkpoint whose weights are far from 0 and 1."""
    torch.manual_seed(0)
    sizes = {
        "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
        "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    }
    common = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    places = {"vocab_size": 100, "max_position_embeddings": 40}
    roberta = {"type_vocab_size": 1, "pad_token_id": 1} if "roberta" in family else {}
    extra = sizes.get(family, {}) if family == "distilbert" else common | sizes.get(family, {})
    config = AutoConfig.for_model(family, **places, **roberta, **extra)
    model = AutoModelForQuestionAnswering.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)


def logits(folder: Path, given: Path, out: Path) -> None:
    data = dict(np.load(given))
    model = loaded(folder).eval()
    with torch.inference_mode():
        np.save(out, outputs(model, data, np.arange(len(data["lengths"]))).numpy())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["quality", folder, seed]:
            print(quality(Path(folder), int(seed)))
        case ["speed", folder]:
            print(*speed(Path(folder)))
        case ["make", family, folder]:
            make(family, Path(folder))
            print(0)
        case ["logits", folder, given, out]:
            logits(Path(folder), Path(given), Path(out))
            print(0)
