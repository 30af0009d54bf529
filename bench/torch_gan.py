"""The GANs in PyTorch, as one would write them: `python -m bench.torch_gan ARCHITECTURE SECONDS [WORD ...]`.

The same mathematics as `gan.train`: networks, batches, losses, Adam, and of `dcgan` the running average. The
words are `bfloat16` (autocast, in the memory format `channels_last`), `compiled` (torch.compile) and `fused`
(Adam in one kernel, which is not PyTorch's default on a CPU). Prints steps a second after a warm-up,
milliseconds of processor time a step, of all threads, and the peak of the process's memory in MB. A process
of its own, so that two libraries do not share threads.
"""

import resource
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from jobs.datasets.images import named

BATCH, LATENTS, CHANNELS = 128, 100, 64
#: Of `gan.train`, for which it is the default where there are convolutions.
AVERAGE = 0.999
#: Keras's own, where it and PyTorch differ.
NORM = {"eps": 1e-3, "momentum": 0.01}


def dense_networks() -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of `mlp`."""
    generator = nn.Sequential(
        nn.Linear(LATENTS, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
    return generator, discriminator


def convolutional_networks() -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of `dcgan`."""
    wide = 2 * CHANNELS
    generator = nn.Sequential(
        nn.Linear(LATENTS, 49 * wide, bias=False),
        nn.Unflatten(1, (wide, 7, 7)),
        nn.BatchNorm2d(wide, **NORM),
        nn.ReLU(),
        nn.ConvTranspose2d(wide, CHANNELS, 4, 2, 1, bias=False),
        nn.BatchNorm2d(CHANNELS, **NORM),
        nn.ReLU(),
        nn.ConvTranspose2d(CHANNELS, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, CHANNELS, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(CHANNELS, wide, 4, 2, 1, bias=False),
        nn.BatchNorm2d(wide, **NORM),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(49 * wide, 1),
    )
    return generator, discriminator


class TorchGan:
    """A training, step by step.

    Args:
        architecture: `mlp` or `dcgan`.
        words: see the module.
    """

    def __init__(self, architecture: str, words: list[str]) -> None:
        torch.manual_seed(0)
        self.convolves, self.bfloat16 = architecture == "dcgan", "bfloat16" in words
        build = convolutional_networks if self.convolves else dense_networks
        self.generator, self.discriminator = build()
        self.average = build()[0] if self.convolves else None
        self.format = torch.channels_last if self.bfloat16 else torch.contiguous_format
        for network in (self.generator, self.discriminator):
            network.to(memory_format=self.format)
        settings = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-7}
        fused = {"fused": True} if "fused" in words else {}
        self.adams = [
            torch.optim.Adam(network.parameters(), **settings, **fused)
            for network in (self.generator, self.discriminator)
        ]
        self.draw, self.judge = self.generator, self.discriminator
        if "compiled" in words:
            self.draw, self.judge = torch.compile(self.generator), torch.compile(self.discriminator)
        images = torch.from_numpy(named.load("mnist-5k").images.astype(np.float32) / 127.5 - 1.0)
        self.images = images.permute(0, 3, 1, 2).contiguous(memory_format=self.format)

    def step(self, real: torch.Tensor) -> None:
        """One update of the discriminator, then one of the generator."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            fake = self.draw(torch.randn(BATCH, LATENTS))
            if self.convolves:  # apart, as batch statistics would give the fakes away
                on_real, on_fake = self.judge(real), self.judge(fake.detach())
            else:
                on_real, on_fake = self.judge(torch.cat([real, fake.detach()])).chunk(2)
            d_loss = (softplus(-on_real.float()).mean() + softplus(on_fake.float()).mean()) / 2
        self.update(1, d_loss)
        self.discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            if not self.convolves:  # Algorithm 1 of the paper draws anew
                fake = self.draw(torch.randn(BATCH, LATENTS))
            g_loss = softplus(-self.judge(fake).float()).mean()
        self.update(0, g_loss)
        self.discriminator.requires_grad_(True)
        self.move_average()

    def update(self, which: int, loss: torch.Tensor) -> None:
        """One update by Adam: 0 of the generator, 1 of the discriminator."""
        self.adams[which].zero_grad(set_to_none=True)
        loss.backward()
        self.adams[which].step()

    @torch.no_grad()
    def move_average(self) -> None:
        """Moves the running average of the generator, if there is one."""
        if self.average is not None:
            means, weights = floats_of(self.average), floats_of(self.generator)
            torch._foreach_lerp_(means, weights, 1.0 - AVERAGE)

    def batches(self) -> Iterator[torch.Tensor]:
        """Shuffled batches, epoch after epoch."""
        while True:
            order = torch.randperm(len(self.images))
            for first in range(0, len(self.images) - BATCH + 1, BATCH):
                yield self.images[order[first : first + BATCH]]


def floats_of(network: nn.Module) -> list[torch.Tensor]:
    """Weights and batch statistics, without their counter."""
    return [each for each in network.state_dict().values() if each.is_floating_point()]


def speed(training: TorchGan, seconds: float, warm_up: int = 10) -> tuple[float, float]:
    """Steps a second of the loop, after a warm-up, and milliseconds of processor time a step."""
    steps, began, processor = -warm_up, 0.0, 0.0
    for batch in training.batches():
        training.step(batch)
        steps += 1
        if steps == 0:
            began, processor = time.monotonic(), time.process_time()
        if steps > 0 and time.monotonic() - began > seconds:
            break
    return steps / (time.monotonic() - began), (time.process_time() - processor) / steps * 1e3


if __name__ == "__main__":
    found = speed(TorchGan(sys.argv[1], sys.argv[3:]), float(sys.argv[2]))
    print(*found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
