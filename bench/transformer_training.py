"""Speed of a training step of MiniLM-L6 on tweets: PyTorch and the lean encoder, side by side.

    python -m bench.transformer_training [BATCH [TIMES [SECONDS]]]

The same batches everywhere, each measurement in a process of its own, taken in turn; medians. What each does
before its first measured step (loading, compiling) is printed by itself, and what the speed would be if the
processor time were spread over all cores, which other work on the machine changes less. About 8 minutes.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MEASURED = {
    "PyTorch, float32, all padded to 64": ("bench.torch_transformer", "padded"),
    "PyTorch, float32, by length": ("bench.torch_transformer", "float32"),
    "PyTorch, bfloat16, by length": ("bench.torch_transformer", "bfloat16"),
    "encoder, float32, by length": ("bench.transformer_step", "float32"),
    "encoder, bfloat16, by length": ("bench.transformer_step", "bfloat16"),
}


def main(batch: int = 32, times: int = 3, seconds: float = 10.0) -> None:
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in MEASURED}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.finetuning", "rows", "0", folder]
        subprocess.run(command, check=True)
        for _ in range(times):
            for name, (program, mode) in MEASURED.items():
                found[name].append(_of_process(program, folder, str(batch), str(seconds), mode))
            print("  " + ", ".join(f"{rows[-1][0]:.1f}" for rows in found.values()), flush=True)
    print(f"{_processor()}; batches of {batch}, median of {times}")
    for line in _table(found):
        print(line)


def _of_process(program: str, *arguments: str) -> tuple[float, ...]:
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(map(float, done.stdout.split()[-4:]))


def _table(found: dict[str, list[tuple[float, ...]]]) -> Iterator[str]:
    medians = {
        name: [statistics.median(each) for each in zip(*rows, strict=True)] for name, rows in found.items()
    }
    yield f"  {'':36} {'examples/s':>10} {'of cores':>8} {'MiB':>6} {'before, s':>9}   times PyTorch's three"
    torch = [speed for name, (speed, *_) in medians.items() if name.startswith("PyTorch")]
    for name, (speed, of_cores, peak, before) in medians.items():
        ratios = "  ".join(f"{speed / other:5.2f}" for other in torch)
        yield f"  {name:36} {speed:10.1f} {of_cores:8.1f} {peak:6.0f} {before:9.1f}   {ratios}"


def _processor() -> str:
    """Name, cores, and what it has for bfloat16."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): text.strip() for name, text in facts.items()}
    flags = set(facts.get("flags", "").split()) & {"avx512f", "avx512_bf16", "amx_bf16"}
    return (
        f"{facts.get('model name', 'unknown processor')}, {os.cpu_count()} cores, {' '.join(sorted(flags))}"
    )


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, int, float), sys.argv[1:], strict=False)))
