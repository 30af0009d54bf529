"""A classification through the queue, its process killed on the way: every row once, in order."""

import os
import random
import signal
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from pyarrow import parquet

from jobs import ClassifyTexts
from jobs.local import run_locally
from jobs.pretrained import models
from jobs.pretrained.card import Card
from jobs.pretrained.export import export
from jobs.transformer.uses import Classification
from scheduler import Job
from scheduler.settings import RedisSettings, StoreSettings
from tests.chaos.test_kills import runner_of
from tests.cluster import cluster
from tests.servers import wait_until

ROWS = 20_000
CLASSES = ("bad", "good")
#: Of the rows, where the process is killed, at random: each time in an attempt of its own.
SHARES = sorted(map(random.Random(6).uniform, 3 * [0.05], 3 * [0.75]))


@pytest.fixture
def model(checkpoint: Path, tmp_path: Path) -> Path:
    """A classifier of random weights, in Hugging Face's format."""
    folder = tmp_path / "model"
    classifier = models.load(checkpoint, len(CLASSES)).classifier
    export(classifier, checkpoint, folder, CLASSES, Card("tiny", "none", {}, CLASSES, {}, {}, {}, 16))
    return folder


def far(job: Job[Classification], share: float) -> bool:
    return job.progress is not None and job.progress.step >= share * ROWS


def shards(job: Job[Classification]) -> list[str]:
    return [item.key for item in job._store.under(f"jobs/{job.id}/shards/")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_classification_killed_on_the_way_has_every_row_once_and_the_same_bytes(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path, model: Path
) -> None:
    texts = tmp_path / "texts.csv"
    lines = (f"{number},{'' if number % 100 == 7 else f'text number {number}'}" for number in range(ROWS))
    texts.write_text("\n".join(("id,text", *lines)) + "\n")
    job_of = ClassifyTexts(
        pretrained=str(model), dataset="numbered", max_length=24, batch_size=1, checkpoint_seconds=0.2
    )
    with cluster(
        redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0", TRIPTYCH_THREADS="1"
    ) as running:
        running.scheduler()
        worker = running.worker()
        client = running.client()
        client.datasets.upload("numbered", texts)
        job = client.submit(job_of)
        for attempt, share in enumerate(SHARES, 1):
            wait_until(lambda attempt=attempt: job.record.attempt == attempt, seconds=60)  # type: ignore[misc]
            told = job.progress  # by the attempt before
            wait_until(
                lambda told=told, share=share: job.progress != told and far(job, share) and shards(job),  # type: ignore[misc]
                seconds=200,  # importing TensorFlow and KerasHub takes long where much else runs
                what=f"{share:.0%} of the rows in attempt {attempt}",
            )
            print(f"attempt {attempt} is killed at {job.progress}")
            os.kill(runner_of(worker, job), signal.SIGKILL)
        result = job.wait(240)
        assert job.record.attempt == len(SHARES) + 1
        assert "goes on from step" in "".join(job.logs())
        assert not shards(job)
        job.download(tmp_path / "queue")
    table = parquet.read_table(tmp_path / "queue/artifacts/predictions.parquet")
    assert table["row"].to_pylist() == list(range(ROWS))
    assert (result.rows, result.unclassified) == (ROWS, ROWS // 100)
    assert result.remarks == {"empty": ROWS // 100}

    alone = run_locally(job_of, tmp_path / "alone", {"numbered": texts})
    assert alone.labels == result.labels
    files = [tmp_path / f"{run}/artifacts/predictions.parquet" for run in ("queue", "alone")]
    assert files[0].read_bytes() == files[1].read_bytes()
