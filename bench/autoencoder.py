"""Training speed of the classic autoencoder: `fit`, PyTorch, and `selfsupervised.train`, side by side.

    python -m bench.autoencoder

784-32-784, Adam, binary cross-entropy, batches of 256: the same mathematics everywhere. Prints the median of
five measurements of each, taken in turn, each in a process of its own, and their ratios. PyTorch comes with
`pip install '.[bench]'`; without it its line is left out.
"""

import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

from bench.gan import WARM_UP
from bench.stack import running_stack
from jobs.selfsupervised.spec import TrainSelfSupervised
from scheduler import Client

#: Reports, pictures, judgements and checkpoints included, as by default.
SPEC = TrainSelfSupervised(dataset="mnist-5k", epochs=100_000, validation=0.0)

FIT = """
import sys, time
import keras, numpy as np
from jobs.datasets.images import named

images = named.load("mnist-5k").images.reshape(-1, 784).astype("float32") / 255.0
inputs = keras.Input((784,))
encoded = keras.layers.Dense(32, activation="relu")(inputs)
decoded = keras.layers.Dense(784, activation="sigmoid")(encoded)
autoencoder = keras.Model(inputs, decoded)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
autoencoder.fit(images, images, epochs=5, batch_size=256, shuffle=True, verbose=0)
began, epochs = time.monotonic(), 0
while time.monotonic() - began < float(sys.argv[1]):
    autoencoder.fit(images, images, epochs=10, batch_size=256, shuffle=True, verbose=0)
    epochs += 10
steps = epochs * -(-len(images) // 256)
print(steps / (time.monotonic() - began))
"""


def of_process(*command: str) -> float:
    """The number that a program prints last."""
    answer = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    return float(answer.stdout.split()[-1])


def of_queue(client: Client, seconds: float) -> float:
    """Steps a second of a job on a worker, by its own reports."""
    job = client.submit(SPEC)
    try:
        while job.progress is None:
            time.sleep(0.1)
        time.sleep(WARM_UP + seconds)
    finally:
        job.cancel()
    for _ in job.updates(60):
        pass
    reports = job.metrics()
    last = reports[-1]
    first = next(report for report in reports if report["time"] > last["time"] - seconds)
    return float((last["step"] - first["step"]) / (last["time"] - first["time"]))


def main(times: int = 5, seconds: float = 8.0) -> None:
    fit, torch, queue = [], [], []
    with running_stack() as client:
        time.sleep(8)  # until the spare runners are ready
        for _ in range(times):
            fit.append(of_process("-c", FIT, str(seconds)))
            if find_spec("torch"):
                torch.append(of_process("-m", "bench.torch_autoencoder", str(seconds)))
            queue.append(of_queue(client, seconds))
            print("  " + ", ".join(f"{each[-1]:.0f}" for each in (fit, torch, queue) if each), flush=True)
    fast = statistics.median(queue)
    print(f"classic autoencoder, batch 256, steps/s, median of {times}:")
    for name, measured in (("Keras's fit", fit), ("PyTorch, eager", torch)):
        if measured:
            slow = statistics.median(measured)
            print(f"  {name:36} {slow:8.0f}   selfsupervised.train is {fast / slow:.2f} times as fast")
    print(f"  {'selfsupervised.train on the queue':36} {fast:8.0f}")


if __name__ == "__main__":
    main()
