"""Vision Transformers: `python -m bench.vision speed`, `quality`, `few`, `mnist` or `folders`.

- `speed`: ViT-S in training and in classification beside PyTorch in bfloat16, channels last, in turn, each in
  a process of its own; images a second by medians, and their ratios.
- `quality [SEED ...]`: `mnist-5k`, 4,000 images to train on and 1,000 to test, with the defaults.
- `few nothing|contrastive|masked [SEED ...]`: 100 labels of these 4,000, from nothing, or from a job on the
  4,000 without labels.
- `mnist PATH`: all of MNIST (`mnist.npz`), its own 10,000 test images.
- `folders`: checkpoints of ViT, DeiT and Swin of random weights, written by transformers; logits of what is
  read from them, and of what is written again, here and by `AutoModelForImageClassification`.

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
ROUNDS, SECONDS, BATCH = 3, 5.0, 64
SIDES = (32, 64)
WIDTH, DEPTH, HEADS, CLASSES = 384, 12, 6, 10
#: Passes of a self-supervised job over its images; where none are named, the default.
PRETEXT_EPOCHS = {"contrastive": 32}
FAMILIES = ("vit", "deit", "deit-teacher", "swin")
#: What the logits of a folder may differ by.
BOUND = 1e-4

TRAIN = """
import sys
import numpy as np, tensorflow as tf
from bench.vision import BATCH, network, rate
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
done = 0
def both():
    global done
    done += 2
    run(done)
print(*rate(both, 2 * BATCH, seconds))
"""

CLASSIFY = """
import sys
import numpy as np
from bench.vision import network, rate
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.vision.engines.engine import engine_of

side, seconds, library = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
engine = engine_of(network(side), Choice.of(library))
images = np.random.default_rng(0).integers(0, 256, (engine.rows, side, side, 3), dtype=np.uint8)
count = 256 // engine.rows
print(*rate(lambda: list(engine.run([images] * count)), 256, seconds))
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
            numbers = (str(side), str(SECONDS))
            ways = {"triptych": ("-c", code, *numbers, "auto")}
            if has_torch:
                ways["PyTorch"] = ("-m", "bench.torch_vision", what, *numbers)
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, command in ways.items():
                    found[name].append(measured(*command))
            for number, unit in enumerate(("a second", "for 2 processor seconds")):
                medians = {}
                for name, rates in found.items():
                    all_rates = " ".join(f"{each[number]:.0f}" for each in rates)
                    medians[name] = statistics.median(each[number] for each in rates)
                    print(f"{what} {side} x {side} {name}: {medians[name]:.1f} images {unit}, of {all_rates}")
                if has_torch:
                    ratio = medians["triptych"] / medians["PyTorch"]
                    print(f"ratio {ratio:.2f}, to be at least {wanted}", flush=True)


def rate(action: Any, count: int, seconds: float) -> tuple[float, float]:
    """How many a second, and for two processor seconds, after two calls that do not count."""
    for _ in range(2):
        action()
    began, spent, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < seconds:
        action()
        done += count
    return done / (time.monotonic() - began), 2 * done / (time.process_time() - spent)


def measured(*command: str) -> tuple[float, ...]:
    """What a process prints last."""
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    return tuple(map(float, done.stdout.splitlines()[-1].split()))


def told(name: str, spec: Any, folder: Path, data: dict[str, Path] | None = None) -> Any:
    """Runs a spec and says what it came to."""
    began = time.process_time()
    found = run_locally(spec, folder, data)
    accuracy = getattr(found, "test", None) and f"accuracy {found.test.accuracy:.4f}, "
    print(f"{name}: {accuracy or ''}{time.process_time() - began:.0f} s of the processors", flush=True)
    return found


def quality(home: Path) -> None:
    """The defaults on 4,000 images, and the simplest methods beside them."""
    for seed in seeds(2):
        spec = TrainImageClassifier(validation=0, test=1_000, seed=seed)
        told(f"seed {seed}", spec, home / f"full-{seed}")
        judged = run_locally(EvaluateImageClassifier(model=f"full-{seed}"), home / f"judged-{seed}")
        print(judged.baselines, flush=True)


def few(home: Path) -> None:
    """100 labels: from nothing, or from a self-supervised job that has seen no test image."""
    from jobs.transformer.vision.train import parts_of

    whole, method = load("mnist-5k"), sys.argv[2]
    for seed in seeds(3):
        common = {"validation": 0.0, "test": 1_000.0, "train_rows": 100, "balanced": True, "seed": seed}
        nothing = TrainImageClassifier.model_validate(common)
        if method == "nothing":
            told(f"seed {seed}, from nothing", nothing, home / f"nothing-{seed}")
            continue
        test = parts_of(nothing, np.asarray(whole.labels, np.int32), whole.class_names)[0].test
        ImageSet(np.delete(whole.images, test, axis=0)).write(home / f"bare-{seed}.npz")
        pretext = TrainSelfSupervised(
            dataset="bare", method=method, epochs=PRETEXT_EPOCHS.get(method), validation=0, seed=seed
        )
        told(method, pretext, home / f"pretext-{seed}", {"bare": home / f"bare-{seed}.npz"})
        begun = TrainImageClassifier.model_validate({**common, "start": f"pretext-{seed}"})
        told(f"seed {seed}, from the {method} job", begun, home / f"begun-{seed}")


def seeds(first: int) -> tuple[int, ...]:
    """Those that the command line names, by default all."""
    return tuple(map(int, sys.argv[first:])) or SEEDS


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
    """Logits of folders of random weights, here and by PyTorch, before and after they are written here."""
    import tensorflow as tf

    from jobs.transformer.vision.folders.reading import read_folder
    from jobs.transformer.vision.folders.writing import write_folder

    images = tf.constant(np.random.default_rng(0).random((16, 32, 32, 3)).astype(np.float32))
    for family in FAMILIES:
        by_torch("make", family, str(home / family))
        read = read_folder(home / family, (32, 32))
        write_folder(read, home / f"{family} again")
        scaled = np.asarray(read.standardised(images)).transpose(0, 3, 1, 2)
        np.save(home / "images.npy", np.ascontiguousarray(scaled))
        mine = np.asarray(read.logits(images))
        for what, folder in (("read", home / family), ("written", home / f"{family} again")):
            by_torch("logits", str(folder), str(home / "images.npy"), str(home / "torch.npy"))
            theirs = np.load(home / "torch.npy")
            difference, largest = float(np.abs(theirs - mine).max()), float(np.abs(theirs).max())
            print(f"{family}, {what}: {difference:.1e} at most, of logits to {largest:.1f}", flush=True)
            if difference > BOUND:
                raise SystemExit(1)


def by_torch(*arguments: str) -> None:
    """Runs `bench.torch_vision`."""
    subprocess.run([sys.executable, "-m", "bench.torch_vision", *arguments], check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "speed":
            speed()
        else:
            {"quality": quality, "few": few, "mnist": mnist, "folders": folders}[sys.argv[1]](Path(folder))
