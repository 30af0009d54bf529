"""Vision Transformers: `python -m bench.vision speed`, `quality`, `few`, `mnist` or `folders`.

- `speed`: ViT-S in training and in classification beside PyTorch in bfloat16, channels last, in turn, each in
  a process of its own; images a second by medians, and their ratios.
- `quality`: `mnist-5k`, 4,000 images to train on and 1,000 to test, three seeds, with the defaults.
- `few`: 100 labels of these 4,000, from nothing and from a contrastive job on the 4,000 without labels.
- `mnist PATH`: all of MNIST (`mnist.npz`), its own 10,000 test images.
- `folders`: ViT, DeiT and Swin folders of random weights; logits here and by
  `AutoModelForImageClassification`.

PyTorch comes with `pip install '.[bench]'`; without it `speed` leaves its lines out, and `folders` cannot
run.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jobs import EvaluateImageClassifier, TrainImageClassifier, TrainSelfSupervised
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.named import DIGITS, load
from jobs.local import run_locally

SEEDS = (0, 1, 2)
ROUNDS, SECONDS, BATCH = 5, 10.0, 64
SIDES = (32, 64)
WIDTH, DEPTH, HEADS, CLASSES = 384, 12, 6, 10
#: What the logits of a folder may differ by.
BOUND = 1e-4

TRAIN = """
import sys, time
import numpy as np, tensorflow as tf
from bench.vision import BATCH, network
from jobs import TrainImageClassifier
from jobs.training import Passes
from jobs.transformer.vision.learner import ImageLearner

side, seconds = int(sys.argv[1]), float(sys.argv[2])
spec = TrainImageClassifier(precision="bfloat16", operations=0, crop=0.0, drop_path=0.0, average=0.0)
model = ImageLearner(spec, network(side), np.ones(10, np.float32), 100_000, flip=False)
random = np.random.default_rng(0)
images = random.integers(0, 256, (8 * BATCH, side, side, 3), dtype=np.uint8)
data = {"images": images, "labels": random.integers(0, 10, len(images), dtype=np.int32)}
model.place(data, Passes(len(images), BATCH))
step = tf.function(model.train_step, autograph=False)
order = tf.range(len(images))
whole = lambda number: tf.constant(number, tf.int64)
run = lambda first: float(step((order, whole(first), whole(first + 2)))["loss"])
run(0)
began, done = time.monotonic(), 0
while time.monotonic() - began < seconds:
    done += 2
    run(done)
print(done * BATCH / (time.monotonic() - began))
"""

CLASSIFY = """
import sys, time
import numpy as np, tensorflow as tf
from bench.vision import network
from jobs.transformer.vision.asking import running
from jobs.transformer.vision.learner import rows_of

side, seconds = int(sys.argv[1]), float(sys.argv[2])
model = running(network(side), "", tf.bfloat16)
rows = rows_of((side, side, 3))
images = tf.constant(np.random.default_rng(0).integers(0, 256, (rows, side, side, 3), dtype=np.uint8))
model.run(images)
began, done = time.monotonic(), 0
while time.monotonic() - began < seconds:
    np.asarray(model.run(images))
    done += rows
print(done / (time.monotonic() - began))
"""


def network(side: int) -> Any:
    """ViT-S for images of a side, 8 x 8 patches."""
    from jobs.transformer.vision.networks.network import Network
    from jobs.transformer.vision.networks.plan import Plan

    return Network(
        Plan(
            "vit", (side, side, 3), DIGITS, WIDTH, depth=DEPTH, heads=HEADS, inner=4 * WIDTH, patch=side // 8
        )
    )


def speed() -> None:
    """Images a second, side by side."""
    has_torch = find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is not installed (pip install '.[bench]'): its lines are left out")
    for what, code, wanted in (("train", TRAIN, 1.0), ("classify", CLASSIFY, 1.4)):
        for side in SIDES:
            ways = {"triptych": ("-c", code)}
            if has_torch:
                ways["PyTorch"] = ("-m", "bench.torch_vision", what)
            found: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, command in ways.items():
                    found[name].append(measured(*command, str(side), str(SECONDS)))
            medians = {name: statistics.median(rates) for name, rates in found.items()}
            for name, rate in medians.items():
                print(f"{what:9} {side} x {side} {name:9} {rate:8.1f} images/s, of {found[name]}")
            if has_torch:
                print(f"ratio {medians['triptych'] / medians['PyTorch']:.2f}, to be at least {wanted}")


def measured(*command: str) -> float:
    """What a process prints last."""
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def told(name: str, spec: Any, folder: Path, data: dict[str, Path] | None = None) -> Any:
    """Runs a spec and says what it came to."""
    began = time.process_time()
    found = run_locally(spec, folder, data)
    accuracy = getattr(found, "test", None) and f"accuracy {found.test.accuracy:.4f}, "
    print(f"{name}: {accuracy or ''}{time.process_time() - began:.0f} s of the processors", flush=True)
    return found


def quality(home: Path) -> None:
    """The defaults on 4,000 images, and the simplest methods beside them."""
    for seed in SEEDS:
        spec = TrainImageClassifier(validation=0, test=1_000, seed=seed)
        told(f"seed {seed}", spec, home / f"full-{seed}")
        judged = run_locally(EvaluateImageClassifier(model=f"full-{seed}"), home / f"judged-{seed}")
        print(judged.baselines)


def few(home: Path) -> None:
    """100 labels: from nothing, and from a contrastive job that has seen no test image."""
    from jobs.transformer.vision.train import parts_of

    whole = load("mnist-5k")
    for seed in SEEDS:
        common = {"validation": 0.0, "test": 1_000.0, "train_rows": 100, "balanced": True, "seed": seed}
        nothing = TrainImageClassifier.model_validate(common)
        told(f"seed {seed}, from nothing", nothing, home / f"nothing-{seed}")
        test = parts_of(nothing, np.asarray(whole.labels, np.int32), whole.class_names)[0].test
        ImageSet(np.delete(whole.images, test, axis=0)).write(home / f"bare-{seed}.npz")
        pretext = TrainSelfSupervised(
            dataset="bare", method="contrastive", epochs=32, validation=0, seed=seed
        )
        told("contrastive", pretext, home / f"pretext-{seed}", {"bare": home / f"bare-{seed}.npz"})
        begun = TrainImageClassifier.model_validate({**common, "start": f"pretext-{seed}"})
        told(f"seed {seed}, from the contrastive job", begun, home / f"begun-{seed}")


def mnist(home: Path) -> None:
    """All of MNIST, trained on its own 60,000 and tested on its own 10,000."""
    with np.load(sys.argv[2], allow_pickle=False) as file:
        for part in ("train", "test"):
            images, labels = file[f"x_{part}"][..., np.newaxis], file[f"y_{part}"].astype(np.int64)
            ImageSet(images, labels, DIGITS).write(home / f"{part}.npz")
    data = {"learnt": home / "train.npz", "asked": home / "test.npz"}
    told("mnist", TrainImageClassifier(dataset="learnt", validation=0, test=0), home / "whole", data)
    found = run_locally(EvaluateImageClassifier(model="whole", dataset="asked"), home / "judged", data)
    print(f"accuracy {found.scores.accuracy:.4f}; {found.baselines}")


def folders(home: Path) -> None:
    """Logits of folders of random weights, here and by PyTorch."""
    import tensorflow as tf

    from jobs.transformer.vision.folders.writing import write_folder
    from jobs.transformer.vision.networks.network import Network
    from jobs.transformer.vision.networks.plan import Plan

    images = np.random.default_rng(0).random((16, 32, 32, 3)).astype(np.float32)
    shape = (32, 32, 3)
    swin = {"patch": 2, "depths": (2, 2), "stage_heads": (2, 4), "window": 4, "epsilon": 1e-5}
    plans = {
        "vit": Plan("vit", shape, DIGITS, 64, 4, 4, 256, 4),
        "deit": Plan("vit", shape, DIGITS, 64, 4, 4, 256, 4, special=2),
        "deit with a teacher": Plan("vit", shape, DIGITS, 64, 4, 4, 256, 4, special=2, reads=2),
        "swin": Plan("swin", shape, DIGITS, 64, inner=256, **swin),
    }
    for name, plan in plans.items():
        made = Network(plan, seed=1)
        for number, each in enumerate(made.weights):
            each.assign(each.value + 0.05 * tf.random.stateless_normal(each.shape, (1, number)))
        write_folder(made, home / name)
        np.save(home / "images.npy", np.asarray(made.standardised(tf.constant(images))).transpose(0, 3, 1, 2))
        command = [sys.executable, "-m", "bench.torch_vision", "logits", str(home / name)]
        subprocess.run([*command, str(home / "images.npy"), str(home / "torch.npy")], check=True)
        difference = float(np.abs(np.load(home / "torch.npy") - np.asarray(made.logits(images))).max())
        print(f"{name}: largest difference of the logits {difference:.1e} (at most {BOUND:.0e})")
        if difference > BOUND:
            raise SystemExit(1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "speed":
            speed()
        else:
            {"quality": quality, "few": few, "mnist": mnist, "folders": folders}[sys.argv[1]](Path(folder))
