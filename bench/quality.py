"""How good GANs are after equal processor time, on all of MNIST: `gan.train` and the loop of the tutorials.

    python -m bench.quality dcgan [--epochs 11] [--out FOLDER]
    python -m bench.quality tutorial [--minutes 15] [--out FOLDER]
    python -m bench.quality conditional [--epochs 6] [--out FOLDER]
    python -m bench.quality wgan-gp [--epochs 60] [--out FOLDER]

`dcgan` and `tutorial` are to be given the same processor time, of all threads together, which both print.
Both are judged by what `gan.evaluate` uses: 10,000 samples against 10,000 real images in the features of one
network. `conditional` prints how often a sample shows the digit asked for, `wgan-gp` the figures of three
seeds on `mnist-5k`. MNIST is downloaded where Keras keeps its data sets, unless it is there.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from bench.tutorial_gan import TutorialGan
from jobs.datasets.images import named
from jobs.gan.evaluate import classes, distances
from jobs.gan.generate import draw_latents
from jobs.gan.measures.features import feature_network
from jobs.gan.measures.judge import halves
from jobs.gan.spec import EvaluateGan, TrainGan
from jobs.local import LocalContext, run_locally
from jobs.pictures import grid

COUNT = 10_000
SHOWN = 64


def trained(spec: TrainGan, out: Path) -> None:
    """Trains as a user does, and prints time and figures."""
    began, cpu = time.monotonic(), time.process_time()
    result = run_locally(spec, out)
    cpu, wall = time.process_time() - cpu, time.monotonic() - began
    took = f"{cpu / 60:.1f} processor minutes in {wall / 60:.1f}"
    print(f"{spec.architecture}, seed {spec.seed}: {result.steps} steps, {took}", flush=True)
    judged = EvaluateGan(model=out.name, count=COUNT)
    show(run_locally(judged, out.with_name(f"{out.name}-judged")).model_dump())


def tutorial(minutes: float, out: Path) -> None:
    """The loop of the tutorials, for so many processor minutes."""
    spec = TrainGan(architecture="mlp", dataset="mnist")
    loop = TutorialGan(spec)
    began, cpu, steps = time.monotonic(), time.process_time(), 0
    while time.process_time() - cpu < 60 * minutes:
        loop.step()
        steps += 1
    wall = (time.monotonic() - began) / 60
    print(f"tutorial: {steps} steps, {minutes:.1f} processor minutes in {wall:.1f}")
    latents = draw_latents(0, COUNT, spec.latent_dim)
    floats = np.concatenate(
        [loop.generator.predict(latents[n : n + 500], verbose=0) for n in range(0, COUNT, 500)]
    )
    images = np.clip(np.rint((floats + 1.0) * 127.5), 0, 255).astype(np.uint8)
    data = named.load(spec.dataset)
    with LocalContext(out) as context:
        network = feature_network(data, context)
        context.save_artifact("samples.png", grid(images[:SHOWN]))
    chosen, others = halves(len(data), COUNT, 0)
    real, other = (network.see(data.images[rows]).features for rows in (chosen, others))
    samples = network.see(images)
    floor = {f"floor_{name}": value for name, value in distances(real, other).items()}
    show({**distances(real, samples.features), **floor, **classes(data, network, samples, None)})


def show(figures: dict[str, Any]) -> None:
    for name in ("frechet_distance", "kernel_distance", "precision", "recall"):
        print(f"  {name:20} {figures[name]:8.3f}   real images {figures[f'floor_{name}']:8.3f}")
    shares = figures["class_shares"]
    least = min(shares, key=shares.get)
    print(f"  {'rarest class':20} {shares[least]:8.3f}   ({least})")
    if figures["label_accuracy"] is not None:
        print(f"  {'label accuracy':20} {figures['label_accuracy']:8.3f}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.quality")
    arguments.add_argument("what", choices=("dcgan", "tutorial", "conditional", "wgan-gp"))
    arguments.add_argument("--epochs", type=int)
    arguments.add_argument("--minutes", type=float, default=15.0)
    arguments.add_argument("--out", type=Path, default=None)
    chosen = arguments.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="triptych-quality-"))
    if chosen.what == "tutorial":
        tutorial(chosen.minutes, out / "tutorial")
    elif chosen.what == "wgan-gp":
        for seed in range(3):
            spec = TrainGan(architecture="wgan-gp", epochs=chosen.epochs or 60, seed=seed)
            trained(spec, out / f"wgan-gp-{seed}")
    else:
        conditional = chosen.what == "conditional"
        epochs = chosen.epochs or (6 if conditional else 11)
        trained(TrainGan(dataset="mnist", epochs=epochs, conditional=conditional), out / chosen.what)
    print(f"pictures are in {out}")


if __name__ == "__main__":
    main()
