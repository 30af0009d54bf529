"""What embeddings learnt without labels are worth, against raw pixels and principal components.

    python -m bench.representations [METHOD ...]

trains each method with its defaults on `mnist-5k` through the queue, for three seeds, and evaluates it there:
accuracy of a linear probe with 1 %, 10 % and all of the labels, and of 20 nearest neighbours, on 1,000 images
whose labels nobody has seen.
"""

import statistics
import sys
import time

from bench.stack import running_stack
from jobs.selfsupervised.spec import EvaluateEmbeddings, EvaluationResult, TrainSelfSupervised
from scheduler import Client

SEEDS = range(3)
METHODS = {
    "contrastive": {"method": "contrastive"},
    "masked": {"method": "masked"},
    "vicreg": {"method": "vicreg"},
    "autoencoder": {"method": "autoencoder"},
    "convolutional": {"method": "autoencoder", "network": "convolutional"},
}
SHARES = ("1%", "10%", "100%")


def evaluated(client: Client, method: str, seed: int) -> EvaluationResult:
    """What came of one training."""
    began = time.monotonic()
    job = client.submit(TrainSelfSupervised(**METHODS[method], seed=seed))  # type: ignore[arg-type]
    steps = job.wait().steps
    took = time.monotonic() - began
    result = client.submit(EvaluateEmbeddings(model=job.id, seed=seed)).wait()
    print(f"{method}, seed {seed}: {steps} steps in {took:.0f} s", flush=True)
    for name in ("embedding", "pixels", "pca"):
        print(f"  {name:10}{row(result, name)}", flush=True)
    return result


def row(result: EvaluationResult, name: str) -> str:
    accuracies = [result.linear[name][share] for share in SHARES] + [result.knn[name]]
    ranks = result.effective_rank[name]
    return "".join(f"{accuracy:8.3f}" for accuracy in accuracies) + f"{ranks:8.1f}"


def main() -> None:
    wanted = sys.argv[1:] or ["contrastive", "masked"]
    print(f"{'':12}{''.join(f'{share:>8}' for share in (*SHARES, 'kNN', 'rank'))}", flush=True)
    with running_stack() as client:
        for method in wanted:
            results = [evaluated(client, method, seed) for seed in SEEDS]
            for name in ("embedding", "pixels", "pca"):
                first = [result.linear[name]["1%"] for result in results]
                print(
                    f"{method}: {name} with 1 % of the labels: mean {statistics.mean(first):.3f}, "
                    f"worst {min(first):.3f}, best {max(first):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
