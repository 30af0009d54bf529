"""PyTorch's steps of `bench.masked_heads speed`, in a process of its own.

python -m bench.torch_masked FOLDER ROWS LENGTH SECONDS
"""

import statistics
import sys
import time

import torch
from transformers import AutoModelForMaskedLM


def main(folder: str, rows: int, length: int, seconds: float) -> None:
    """Prints tokens a second under autocast to bfloat16, fused AdamW, the logits of hidden tokens alone."""
    model = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="sdpa").train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    draws, times, began = torch.Generator().manual_seed(0), [], time.monotonic()
    while len(times) < 5 or time.monotonic() - began < seconds:
        first = time.monotonic()
        tokens = torch.randint(5, model.config.vocab_size, (rows, length), generator=draws)
        places = torch.randperm(rows * length, generator=draws)[: round(0.15 * rows * length)]
        truth = tokens.view(-1)[places]
        given = tokens.view(-1).index_fill(0, places, 4).view(rows, length)
        with torch.autocast("cpu", torch.bfloat16):
            states = model.roberta(given).last_hidden_state.view(rows * length, -1)[places]
            loss = torch.nn.functional.cross_entropy(model.lm_head(states).float(), truth)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.monotonic() - first)
    print(rows * length / statistics.median(times[1:]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
