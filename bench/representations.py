"""What embeddings learnt without labels are worth, against raw pixels and principal components.

    python -m bench.representations METHOD [FIELD=VALUE ...] [--seeds 0 1 2] [--shares 0.01 0.1 1]

trains a method on `mnist-5k` in a folder, with its defaults but for the fields that are given, once a seed.
Prints the accuracy of a linear probe with few labels, mean of five draws of the labels, and of 20 nearest
neighbours, on 1,000 images whose labels nobody has seen; and the effective rank. It probes as
`selfsupervised.evaluate` does.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from jobs.datasets.images import named
from jobs.local import LocalContext, run_locally
from jobs.probes import effective_rank, few, knn_accuracy, linear_accuracy
from jobs.selfsupervised.evaluate import Representations, representations
from jobs.selfsupervised.methods.building import load
from jobs.selfsupervised.spec import TrainSelfSupervised

DATA_SET, TESTED, DRAWS = "mnist-5k", 1_000, 5
NAMES = ("embedding", "pixels", "pca")


def fields_of(method: str, given: list[str]) -> dict[str, object]:
    """The spec's fields; `convolutional` is an autoencoder too."""
    fields: dict[str, object] = {"dataset": DATA_SET, "method": method}
    if method == "convolutional":
        fields |= {"method": "autoencoder", "network": method}
    for word in given:
        name, _, value = word.partition("=")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields


def trained(fields: dict[str, object], seed: int, folder: Path) -> Representations:
    """The training and test rows, as the trained model and as its rivals see them."""
    began = time.monotonic(), time.process_time()
    spec = TrainSelfSupervised.model_validate({**fields, "seed": seed})
    result = run_locally(spec, folder / "trained")
    wall, processor = time.monotonic() - began[0], time.process_time() - began[1]
    print(
        f"seed {seed}: {result.steps} steps, loss {result.loss:.4f}, validation loss "
        f"{result.validation_loss:.4f}, in {wall:.0f} s, {processor:.0f} s of processor time",
        flush=True,
    )
    images = named.load(DATA_SET).images[order(seed)]
    return representations(load("trained", LocalContext(folder / "judged")), images[TESTED:], images[:TESTED])


def order(seed: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(seed)).permutation(5_000)


def row(found: Representations, name: str, seed: int, shares: list[float]) -> list[float]:
    """A linear probe's accuracy by share of the labels, that of neighbours, and the effective rank."""
    known, asked = found[name]
    all_labels = named.load(DATA_SET).labels
    assert all_labels is not None
    labels, wanted = all_labels[order(seed)][TESTED:], all_labels[order(seed)][:TESTED]
    accuracies = [
        statistics.mean(
            linear_accuracy(known, labels, few(labels, share, np.random.default_rng(draw)), asked, wanted)
            for draw in range(1 if share == 1 else DRAWS)
        )
        for share in shares
    ]
    return [*accuracies, knn_accuracy(known, labels, asked, wanted), effective_rank(known)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method")
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.01, 0.1, 1.0])
    asked = parser.parse_args()
    heads = [*(f"{share:.0%}" for share in asked.shares), "kNN", "rank"]
    rows: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
            found = trained(fields_of(asked.method, asked.fields), seed, Path(folder))
        for name in NAMES:
            rows[name].append(row(found, name, seed, asked.shares))
            print(f"  {name:10}" + "".join(f"{number:8.3f}" for number in rows[name][-1]), flush=True)
    print(f"{asked.method}, mean of {len(asked.seeds)} seeds (lowest to highest):")
    print(f"  {'':10}" + "".join(f"{head:>22}" for head in heads))
    for name in NAMES:
        columns = zip(*rows[name], strict=True)
        cells = [f"{statistics.mean(each):.3f} ({min(each):.3f}-{max(each):.3f})" for each in columns]
        print(f"  {name:10}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
