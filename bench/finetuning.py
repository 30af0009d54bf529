"""Fine-tuning through the queue against PyTorch with the same settings: test accuracy, and examples a second.

    python -m bench.finetuning [SEED ...]

Each seed draws the rows, the parts, the head and the order; both sides train on the same rows and are tested
on the same 2,000. PyTorch trains in float32, in batches by length, in a process of its own.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.stack import running_stack
from jobs import FineTune
from jobs.local import LocalContext

SEEDS = (0, 1, 2)


def spec_of(seed: int) -> FineTune:
    """6,000 tweets, as many of each class, two epochs; 2,000 others to be tested on."""
    return FineTune(
        dataset="tweets",
        rows=8_000,
        balanced=True,
        validation=0,
        test=2_000,
        epochs=2,
        max_length=64,
        seed=seed,
    )


def main(seeds: tuple[int, ...]) -> None:
    ours: list[tuple[float, float]] = []
    torch: list[tuple[float, float]] = []
    with running_stack() as client:
        for seed in seeds:
            result = client.submit(spec_of(seed)).wait(1800)
            assert result.test is not None
            ours.append((result.test.accuracy, result.examples_per_second))
            print(f"seed {seed}, transformer.finetune, {result.precision}: {_line(ours[-1])}", flush=True)
    for seed in seeds:
        torch.append(with_torch(seed))
        print(f"seed {seed}, PyTorch, float32: {_line(torch[-1])}", flush=True)
    for name, found in (("transformer.finetune", ours), ("PyTorch", torch)):
        accuracies, speeds = zip(*found, strict=True)
        accuracy, speed = statistics.mean(accuracies), statistics.median(speeds)
        print(f"{name}: mean accuracy {accuracy:.4f}, median {speed:.0f} examples/s")
    print(f"ratio of the medians: {_median_speed(ours) / _median_speed(torch):.2f}")


def with_torch(seed: int) -> tuple[float, float]:
    """Test accuracy, and examples trained on a second."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.finetuning", "rows", str(seed), folder]
        subprocess.run(command, check=True)  # a process of its own: TensorFlow and PyTorch cannot live in one
        command = [sys.executable, "-m", "bench.torch_finetuning", folder, str(seed)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    accuracy, speed = done.stdout.split()[-2:]
    return float(accuracy), float(speed)


def write_rows(seed: int, folder: Path) -> None:
    """The tokens and labels of the same rows, in `rows.npz`, and the checkpoint's folder."""
    from jobs.pretrained.sources import checkpoint_of
    from jobs.pretrained.tokens import Tokenizer
    from jobs.transformer.finetune import texts_of
    from jobs.transformer.judging.splits import split

    spec = spec_of(seed)
    with LocalContext(folder / "job") as context:
        source = checkpoint_of(None, "minilm-l6", context)
        data = texts_of(spec, context)
        parts = split(data.labels, spec.seed, spec.validation, spec.test, 2)
        tokens, lengths = Tokenizer(source, spec.max_length).flat(data.texts)
        np.savez(
            folder / "rows.npz",
            tokens=tokens,
            lengths=lengths,
            labels=data.labels,
            train=parts.train,
            test=parts.test,
        )
        source.rename(folder / "checkpoint")


def _line(found: tuple[float, float]) -> str:
    return f"accuracy {found[0]:.4f}, {found[1]:.0f} examples/s"


def _median_speed(found: list[tuple[float, float]]) -> float:
    return statistics.median(speed for _, speed in found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["rows"]:
        write_rows(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SEEDS)
