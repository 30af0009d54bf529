"""The classic autoencoder in PyTorch, as one would write it: `python -m bench.torch_autoencoder SECONDS`.

Prints steps a second after a warm-up. A process of its own, so that two libraries do not share threads.
"""

import sys
import time

import numpy as np
import torch

from jobs.datasets.images import named

BATCH = 256


class Autoencoder(torch.nn.Module):
    """784-32-784; the loss takes logits."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.Linear(784, 32)
        self.decoder = torch.nn.Linear(32, 784)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 784)."""
        return self.decoder(torch.relu(self.encoder(images)))


def steps_per_second(seconds: float, warm_up: int = 200) -> float:
    """Steps a second of the loop: shuffled batches of a tensor in memory, Adam, binary cross-entropy."""
    torch.manual_seed(0)
    images = torch.from_numpy(named.load("mnist-5k").images.reshape(-1, 784).astype(np.float32) / 255.0)
    model = Autoencoder()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = torch.nn.BCEWithLogitsLoss()
    steps, began = 0, 0.0
    while True:
        order = torch.randperm(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            batch = images[order[first : first + BATCH]]
            adam.zero_grad(set_to_none=True)
            loss = loss_of(model(batch), batch)
            loss.backward()
            adam.step()
            steps += 1
            if steps == warm_up:
                began = time.monotonic()
            if steps > warm_up and time.monotonic() - began > seconds:
                return (steps - warm_up) / (time.monotonic() - began)


if __name__ == "__main__":
    print(steps_per_second(float(sys.argv[1])))
