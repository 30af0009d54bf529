"""What `bench.small_jobs` compares with: a bare Celery worker that holds its model in memory.

    celery -A bench.peer_worker worker --pool prefork --concurrency 1

The fair peer puts the same files into the same S3 server, and its result into Redis; the limit stores
nothing. No leases, no logs, no progress, no retries, no resume.
"""

import json
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from celery import Celery

from jobs.context import T
from jobs.local import LocalContext
from scheduler.artifacts import ArtifactStore
from scheduler.settings import StoreSettings, load

app = Celery("peer", broker=os.environ["PEER_REDIS"], backend=os.environ["PEER_REDIS"])
app.conf.worker_prefetch_multiplier = 1
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True


@cache
def store() -> ArtifactStore:
    """The same store, through the same SDK."""
    return ArtifactStore(load(StoreSettings))


@cache
def generator(weights: str, spec: str) -> Any:
    """The generator of a training, loaded once."""
    from jobs import catalog
    from jobs.gan.generate import read_generator

    trained = catalog.parse(json.loads(spec))
    return read_generator(Path(weights), "peer", trained)  # type: ignore[arg-type]


def keep_all(job: str, files: dict[str, bytes], kept: bool) -> None:
    """Stores what a job leaves, if anything is to be stored."""
    for name, content in files.items() if kept else ():
        store().put(f"peer/{job}/{name}", content)


@app.task(name="peer.echo")
def echo(job: str, text: str, kept: bool) -> dict[str, Any]:
    """A trivial job."""
    keep_all(job, {"echo.txt": text.encode()}, kept)
    return {"text": text, "finished": time.time()}


@app.task(name="peer.generate")
def generate(job: str, weights: str, spec: str, count: int, seed: int, kept: bool) -> dict[str, Any]:
    """As `gan.generate`: grid, single images, `.npz`."""
    from jobs.datasets.images.image_set import ImageSet
    from jobs.gan.generate import draw, draw_latents
    from jobs.pictures import grid, png

    loaded = generator(weights, spec)
    images = draw(loaded.network, draw_latents(seed, count, loaded.spec.latent_dim))
    files = {"grid.png": grid(images)}
    files |= {f"images/{number:04d}.png": png(image) for number, image in enumerate(images)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        ImageSet(images, None, ()).write(path)
        files["images.npz"] = path.read_bytes()
    keep_all(job, files, kept)
    return {"count": len(images), "finished": time.time()}


class Kept(LocalContext):
    """Holds the model in memory, as a used runner does."""

    models: ClassVar[dict[str, Any]] = {}

    def in_memory(self, digest: str, load: Callable[[], tuple[T, int]]) -> T:
        """What `load` has returned once."""
        if digest not in self.models:
            self.models[digest] = load()[0]
        loaded: T = self.models[digest]
        return loaded


@app.task(name="peer.classify")
def classify(job: str, spec: str, kept: bool) -> dict[str, Any]:
    """As `transformer.classify`: the table."""
    from jobs import catalog

    with TemporaryDirectory() as folder, Kept(Path(folder) / "job") as context:
        result = catalog.run(catalog.parse(json.loads(spec)), context)
        found = (Path(folder) / "job" / "artifacts").iterdir()
        files = {path.name: path.read_bytes() for path in found}
    keep_all(job, files, kept)
    return {"rows": result.rows, "finished": time.time()}
