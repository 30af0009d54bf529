"""What data sets that do not fit into memory cost: in speed at 28 x 28, and in memory at eight gigabytes.

    python -m bench.large_sets [speed] [memory]

`speed` trains the same models with their rows on the device and on the host, in turns, and compares the
steps a second once they are compiled. `memory` uploads a made-up set of 8 GB and trains on it in a slot of
2 GiB; it needs 25 GB of disk for a while, in the folder for temporary files.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
from numpy.lib import format as npy

from bench.stack import running_stack
from jobs import TrainGan, TrainSelfSupervised
from jobs.context import Progress, StopReason
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import Stopped
from jobs.local import LocalContext, run_locally
from worker.memory import private, resident, size

#: Images of the set that is trained on at both places, and bytes of the one that fits nowhere.
COUNT, LARGE = 60_000, 8_000_000_000
SECONDS, ROUNDS = 15.0, 3
SLOT = 2 << 30
SPECS = {
    "dense GAN": TrainGan(dataset="made-up", architecture="mlp", epochs=10_000),
    "DCGAN": TrainGan(dataset="made-up", architecture="dcgan", epochs=1_000, judge_every=1_000),
    "dense autoencoder": TrainSelfSupervised(
        dataset="made-up", method="autoencoder", epochs=10_000, judge_every=10_000, sample_every=10_000
    ),
}


class Timed(LocalContext):
    """Ends a training after some seconds, counted from the end of the first chunk."""

    memory = sys.maxsize
    began: tuple[float, int] | None = None
    latest = (0.0, 0)

    def report(self, progress: Progress) -> None:
        """Takes the time."""
        self.latest = (time.monotonic(), progress.step)
        self.began = self.began or self.latest

    def should_stop(self) -> StopReason | None:
        """Says so once the time is over."""
        over = self.began is not None and time.monotonic() - self.began[0] > SECONDS
        return StopReason.CANCEL if over else None

    def close(self) -> None:
        """Keeps what came out."""
        super().close()
        if self.began:
            seconds, steps = (late - early for late, early in zip(self.latest, self.began, strict=True))
            type(self).rate = steps / seconds

    rate = 0.0


class Cramped(Timed):
    """The same for a job that may hold next to nothing."""

    memory = 1


def speed(folder: Path) -> None:
    """Prints steps a second at both places, and their ratio."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28, 1), dtype=np.uint8)
    ImageSet(images).write(folder / "made-up.npz")
    for name, spec in SPECS.items():
        rates: dict[type[Timed], list[float]] = {Timed: [], Cramped: []}
        for number in range(ROUNDS):
            for place, found in rates.items():
                try:
                    run_locally(
                        spec,
                        folder / f"{name}-{place.__name__}-{number}",
                        {"made-up": folder / "made-up.npz"},
                        place,
                    )
                except Stopped:
                    found.append(place.rate)
        device, host = (statistics.median(found) for found in rates.values())
        print(
            f"  {name}: {device:.1f} steps/s with the rows on the device, {host:.1f} on the host: "
            f"{host / device:.2f}",
            flush=True,
        )


def memory(folder: Path) -> None:
    """Prints the highest memory of the upload and of the training."""
    path = folder / "large.npz"
    count = write_large(path)
    print(f"  {count:,} images of 28 x 28, {count * 784 / 1e9:.1f} GB", flush=True)
    os.environ |= {"TRIPTYCH_SLOT_MEMORY": str(SLOT), "TMPDIR": str(folder)}
    os.environ["TRIPTYCH_CACHE"] = str(folder / "cache")
    with running_stack() as client:
        upload = [sys.executable, "-c", UPLOAD, str(path)]
        began = time.monotonic()
        with subprocess.Popen(upload) as process:
            peak = watched(lambda: [process.pid], process.wait)
        print(f"  upload: {time.monotonic() - began:.0f} s, {told(peak)}", flush=True)
        path.unlink()
        job = client.submit(TrainGan(dataset="large", architecture="mlp", batch_size=128, epochs=1))

        def until_it_has_trained() -> None:
            while not job.state.final and (job.progress is None or job.progress.step < STEPS):
                time.sleep(0.5)
            print(f"  trained: {job.progress.step if job.progress else 0} steps", flush=True)
            job.cancel()

        began = time.monotonic()
        peak = watched(runners, until_it_has_trained)
        print(
            f"  training in a slot of {size(SLOT)}: {time.monotonic() - began:.0f} s, {told(peak)}",
            flush=True,
        )
        while not job.state.final:
            time.sleep(0.5)
        print(f"  the job is {job.state}")


#: Steps after which the training has seen enough: 20,000 steps take 2.6 million rows from all over the file.
STEPS = 20_000
UPLOAD = "import sys; from scheduler import Client; Client().datasets.upload('large', sys.argv[1])"


def write_large(path: Path) -> int:
    """Writes images that differ in little, so that packing them takes no longer than it must."""
    rows = 1 << 14
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    block = np.repeat(image, rows, axis=0)
    count = LARGE // image.nbytes
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (count, 28, 28)})
    with (
        zipfile.ZipFile(path, "w", allowZip64=True) as archive,
        archive.open("images.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for first in range(0, count, rows):
            numbers = np.arange(first, first + rows, dtype=np.uint32)
            block[:, 0, :4] = numbers.view(np.uint8).reshape(rows, 4)
            file.write(block[: min(rows, count - first)].tobytes())
    return count


def runners() -> Sequence[int]:
    """The processes of jobs on this machine that have imported TensorFlow, or are about to."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            # A copy of the template has the template's command line.
            if {"worker.runner", "worker.template"} & set(line) and os.environ[
                "TRIPTYCH_HOME"
            ] == process.environ().get("TRIPTYCH_HOME"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def watched(processes: Callable[[], Sequence[int]], work: Callable[[], object]) -> tuple[int, int]:
    """The most that one of the processes holds while something is done: of its own, and with mapped files."""
    done, most = Event(), [0, 0]

    def look() -> None:
        while not done.wait(0.5):
            for pid in processes():
                most[0] = max(most[0], private(pid))
                most[1] = max(most[1], resident(pid) or 0)

    watcher = Thread(target=look)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return most[0], most[1]


def told(peak: tuple[int, int]) -> str:
    """The figures in words."""
    return f"at most {size(peak[0])} of its own, {size(peak[1])} with all files that are mapped"


def main() -> None:
    wanted = sys.argv[1:] or ("speed", "memory")
    folder = Path(tempfile.mkdtemp(prefix="triptych-bench-"))
    try:
        for name, measure in (("speed", speed), ("memory", memory)):
            if name in wanted:
                print(f"{name}:", flush=True)
                measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
