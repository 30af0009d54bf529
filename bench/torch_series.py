"""The network of `selfsupervised.series.train` in PyTorch: `python -m bench.torch_series SECONDS`.

Prints windows a second after a warm-up. A process of its own, so that two libraries do not share threads.
"""

import math
import sys
import time

import torch
from torch.nn import functional

from bench.series import BATCH, HORIZON, WINDOW, waves

WIDTH, DEPTH, HEAD, HIDDEN, LEVELS, DROPOUT = 64, 2, 16, 256, (0.1, 0.5, 0.9), 0.2
PATCH = round(WINDOW / 12)
COUNT = math.ceil(WINDOW / PATCH)
GIVEN = COUNT * WIDTH + WINDOW + HORIZON + 24 + 2


class Block(torch.nn.Module):
    """Attention that falls with the distance, and two dense layers, each after a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_dense = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH)
        self.compare, self.merge = torch.nn.Linear(WIDTH, 3 * WIDTH), torch.nn.Linear(WIDTH, WIDTH)
        self.widen, self.narrow = torch.nn.Linear(WIDTH, 2 * WIDTH), torch.nn.Linear(2 * WIDTH, WIDTH)
        slopes = torch.tensor([0.0, *(0.5**number for number in range(WIDTH // HEAD - 1))])
        apart = (torch.arange(COUNT)[:, None] - torch.arange(COUNT)).abs().float()
        self.register_buffer("nearness", -apart * slopes[:, None, None])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (batch, tokens, width)."""
        split = self.compare(self.before_attention(tokens)).reshape(
            len(tokens), COUNT, 3, WIDTH // HEAD, HEAD
        )
        query, key, value = split.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.nearness)
        tokens = tokens + self.merge(found.transpose(1, 2).reshape(len(tokens), COUNT, WIDTH))
        return tokens + self.narrow(functional.gelu(self.widen(self.before_dense(tokens))))


class Network(torch.nn.Module):
    """See `jobs.selfsupervised.series.methods.network`; ridge regression is a fixed linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(2 * PATCH, WIDTH)
        self.places = torch.nn.Parameter(0.02 * torch.randn(COUNT, WIDTH))
        self.body = torch.nn.Sequential(*(Block() for _ in range(DEPTH)), torch.nn.LayerNorm(WIDTH))
        self.first, self.second = torch.nn.Linear(GIVEN, HIDDEN), torch.nn.Linear(HIDDEN, HIDDEN)
        self.last = torch.nn.Linear(HIDDEN, HORIZON * (1 + len(LEVELS)))
        self.ridge = torch.nn.Linear(WINDOW, HORIZON).requires_grad_(False)

    def forward(self, numbers: torch.Tensor, about: torch.Tensor) -> torch.Tensor:
        """Forecast and quantiles (batch, 1 + levels, horizon)."""
        base = self.ridge(numbers)
        both = torch.stack([numbers, torch.ones_like(numbers)], dim=2)
        both = functional.pad(both, (0, 0, COUNT * PATCH - WINDOW, 0)).reshape(-1, COUNT, 2 * PATCH)
        tokens = self.body(self.embed(both) + self.places).flatten(1)
        given = torch.cat([functional.dropout(tokens, DROPOUT), numbers, base, about], dim=1)
        inner = functional.dropout(functional.gelu(self.first(given)), DROPOUT)
        inner = functional.dropout(inner + functional.gelu(self.second(inner)), DROPOUT)
        return base[:, None] + self.last(inner).reshape(-1, 1 + len(LEVELS), HORIZON)


def windows_per_second(seconds: float, warm_up: int = 20) -> float:
    """Windows a second of the loop, which normalises windows of a series in memory."""
    torch.manual_seed(0)
    values = torch.from_numpy(waves(20_000)).float()
    network = Network()
    adam = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    levels = torch.tensor(LEVELS)[:, None]
    steps, began = 0, 0.0
    while True:
        places = torch.randint(WINDOW, len(values) - HORIZON, (BATCH, 1))
        before, ahead = values[places + torch.arange(-WINDOW, 0)], values[places + torch.arange(HORIZON)]
        means, deviations = before.mean(1, keepdim=True), before.std(1, keepdim=True, unbiased=False) + 1.0
        found = network((before - means) / deviations, torch.rand(BATCH, 26))
        beyond = (((ahead - means) / deviations)[:, None] - found) * deviations[:, None]
        pinball = torch.maximum(levels * beyond[:, 1:], (levels - 1) * beyond[:, 1:]).mean()
        loss = beyond[:, 0].square().mean() + pinball
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
        steps += 1
        if steps == warm_up:
            began = time.monotonic()
        if steps > warm_up and time.monotonic() - began > seconds:
            return (steps - warm_up) * BATCH / (time.monotonic() - began)


if __name__ == "__main__":
    print(windows_per_second(float(sys.argv[1])))
