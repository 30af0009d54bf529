"""CUT and CycleGAN in PyTorch, as one would write them: `python -m bench.torch_style --measure METHOD`.

The networks, losses and sizes of `gan.style.train` at 64 x 64, in bfloat16 and channels last. Prints steps a
second. A process of its own, so that two libraries do not share threads.
"""

import itertools
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

BATCH, SIDE, CHANNELS, BLOCKS, PATCHES, LENGTH = 8, 64, 32, 4, 64, 256
WARM_UP, SECONDS = 20.0, 20.0


def layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution padded by reflection, normalisation, rectifier."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="reflect")
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs), nn.ReLU())


class Block(nn.Module):
    """Two convolutions beside a way past them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Conv2d(width, width, 3, 1, 1, bias=False, padding_mode="reflect")
        self.inside = nn.Sequential(layer(width, width, 3, 1), last, nn.InstanceNorm2d(width))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Adds both."""
        return hidden + self.inside(hidden)


class Generator(nn.Module):
    """From pictures to pictures and features."""

    def __init__(self) -> None:
        super().__init__()
        c = CHANNELS
        self.down = nn.ModuleList(
            [layer(3, c, 7, 1), layer(c, 2 * c, 3, 2), layer(2 * c, 4 * c, 3, 2)]
            + [Block(4 * c) for _ in range(BLOCKS)]
        )
        self.up = nn.Sequential(
            *(nn.Upsample(scale_factor=2), layer(4 * c, 2 * c, 3, 1)),
            *(nn.Upsample(scale_factor=2), layer(2 * c, c, 3, 1)),
            *(nn.Conv2d(c, 3, 7, 1, 3, padding_mode="reflect"), nn.Tanh()),
        )

    def features(self, hidden: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """What PatchNCE compares, and the last of it."""
        found = []
        for number, stage in enumerate(self.down):
            hidden = stage(hidden)
            if number in (0, 1, 2, 3, 3 + BLOCKS // 2):
                found.append(hidden)
        return found, hidden

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The pictures, and the features on the way."""
        found, hidden = self.features(images)
        return self.up(hidden), found


def discriminator() -> nn.Sequential:
    """A PatchGAN with two halvings."""
    c = CHANNELS
    return nn.Sequential(
        *(nn.Conv2d(3, c, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False), nn.InstanceNorm2d(2 * c), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2 * c, 4 * c, 4, 1, "same", bias=False), nn.InstanceNorm2d(4 * c), nn.LeakyReLU(0.2)),
        nn.Conv2d(4 * c, 1, 4, 1, "same"),
    )


class Training:
    """One method's networks and updates."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.generator, self.back = Generator(), Generator()
        self.judges = [discriminator() for _ in range(2 if method == "cyclegan" else 1)]
        widths = [CHANNELS, 2 * CHANNELS, 4 * CHANNELS, 4 * CHANNELS, 4 * CHANNELS]
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, LENGTH), nn.ReLU(), nn.Linear(LENGTH, LENGTH)) for width in widths
        )
        other: nn.Module = self.back if method == "cyclegan" else self.heads
        for network in (self.generator, self.back, *self.judges):
            network.to(memory_format=torch.channels_last)
        drawing = itertools.chain(self.generator.parameters(), other.parameters())
        self.draws = torch.optim.Adam(drawing, 4e-4, (0.5, 0.999), fused=True)
        judging = itertools.chain(*(judge.parameters() for judge in self.judges))
        self.judging = torch.optim.Adam(judging, 4e-4, (0.5, 0.999), fused=True)

    def step(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """One update of everything."""
        with torch.autocast("cpu", torch.bfloat16):
            if self.method == "cyclegan":
                fakes, loss = self._cycle(source, target)
            else:
                fakes, loss = self._contrast(source, target)
        self.draws.zero_grad(set_to_none=True)
        loss.backward()
        self.draws.step()
        with torch.autocast("cpu", torch.bfloat16):
            real = zip(self.judges, (target, source), fakes, strict=False)
            judged = sum(
                ((judge(x) - 1) ** 2).float().mean() / 2 + (judge(fake.detach()) ** 2).float().mean() / 2
                for judge, x, fake in real
            )
        self.judging.zero_grad(set_to_none=True)
        judged.backward()  # type: ignore[union-attr]
        self.judging.step()

    def _contrast(self, source: torch.Tensor, target: torch.Tensor) -> tuple[list[torch.Tensor], Any]:
        drawn, before = self.generator(torch.cat([source, target]))
        after, _ = self.generator.features(drawn)
        losses = []
        for head, key, query in zip(self.heads, before, after, strict=True):
            places = torch.randperm(key.shape[2] * key.shape[3])[:PATCHES]
            k, q = (
                functional.normalize(head(each.flatten(2)[:, :, places].transpose(1, 2)).float(), dim=2)
                for each in (key.detach(), query)
            )
            similar = torch.bmm(q, k.detach().transpose(1, 2)) / 0.07
            right = torch.arange(similar.shape[1]).expand(similar.shape[0], -1)
            losses.append(functional.cross_entropy(similar.flatten(0, 1), right.flatten()))
        fake = drawn[: len(source)]
        game = ((self.judges[0](fake) - 1) ** 2).float().mean()
        return [fake], game + sum(losses) / len(losses)

    def _cycle(self, source: torch.Tensor, target: torch.Tensor) -> tuple[list[torch.Tensor], Any]:
        there, _ = self.generator(torch.cat([source, target]))
        back, _ = self.back(torch.cat([target, source]))
        count = len(source)
        fakes = [there[:count], back[:count]]
        game = sum(
            ((judge(fake) - 1) ** 2).float().mean() for judge, fake in zip(self.judges, fakes, strict=True)
        )
        cycle = functional.l1_loss(self.back(fakes[0])[0].float(), source) + functional.l1_loss(
            self.generator(fakes[1])[0].float(), target
        )
        same = functional.l1_loss(there[count:].float(), target) + functional.l1_loss(
            back[count:].float(), source
        )
        return fakes, game + 10 * (cycle + 0.5 * same)


def steps_per_second(method: str) -> float:
    """Of batches that lie in memory."""
    torch.manual_seed(0)
    training = Training(method)
    source, target = (
        torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last) * 2 - 1
        for _ in range(2)
    )
    began, first, steps = time.monotonic(), 0, 0
    while True:
        training.step(source, target)
        steps += 1
        now = time.monotonic()
        if not first and now - began > WARM_UP:
            began, first = now, steps
        if first and now - began > SECONDS:
            return (steps - first) / (now - began)


if __name__ == "__main__":
    print(steps_per_second(sys.argv[2]))
