"""PyTorch's side of `bench.generation`, in a process of its own: two copies of LLVM cannot live in one.

python -m bench.torch_generation logits TOKENS.npz FOUND.npz  # of each folder that is named in TOKENS.npz
python -m bench.torch_generation speed FOLDER PROMPT.npy TOKENS ROWS SECONDS
python -m bench.torch_generation train FOLDER ROWS WIDTH SECONDS
"""

import sys
import time

import numpy as np
import torch
from transformers import AutoModelForCausalLM


def logits(asked: str, found: str) -> None:
    """Logits of the tokens of each folder, float32 (tokens, vocabulary)."""
    results = {}
    for folder, tokens in np.load(asked).items():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with torch.no_grad():
            results[folder] = model(torch.tensor(tokens[None].astype(np.int64))).logits[0].numpy()
    np.savez(found, **results)


def speed(folder: str, prompt: str, tokens: int, rows: int, seconds: float) -> None:
    """Prints the tokens a second of `generate`, weights in bfloat16, the median of some answers."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    given = torch.tensor(np.tile(np.load(prompt).astype(np.int64), (rows, 1)))
    rates, began = [], time.monotonic()
    while len(rates) < 4 or time.monotonic() - began < seconds:
        first = time.monotonic()
        with torch.inference_mode():
            model.generate(given, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        rates.append(rows * tokens / (time.monotonic() - first))
    print(float(np.median(rates[1:])))


def train(folder: str, rows: int, width: int, seconds: float) -> None:
    """Prints the tokens a second of training steps under autocast to bfloat16, fused AdamW."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    draws = torch.Generator().manual_seed(0)
    times, began = [], time.monotonic()
    while len(times) < 5 or time.monotonic() - began < seconds:
        first = time.monotonic()
        tokens = torch.randint(0, model.config.vocab_size, (rows, width), generator=draws)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.monotonic() - first)
    print(rows * width / float(np.median(times[1:])))


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "logits":
        logits(*given)
    elif what == "speed":
        speed(given[0], given[1], int(given[2]), int(given[3]), float(given[4]))
    else:
        train(given[0], int(given[1]), int(given[2]), float(given[3]))
