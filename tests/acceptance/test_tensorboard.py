"""A person opens jobs in TensorBoard."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs import EncodeImages, TrainSelfSupervised
from scheduler import Client, Job
from scheduler.cli.commands import app
from scheduler.tensorboard.events import JobEvents
from tests.browser import page
from tests.ports import free_port
from tests.servers import wait_until


@pytest.fixture(scope="module")
def jobs(stack: object) -> tuple[Job[Any], Job[Any], Job[Any]]:
    client = Client()
    one, two = (
        client.submit(TrainSelfSupervised(dataset="digits", units=(6,), embedding_dim=3, epochs=3, seed=seed))
        for seed in range(2)
    )
    encoded = client.submit(EncodeImages(model=one, dataset="digits"))
    for job in (one, two, encoded):
        job.wait(240)
    return one, two, encoded


def run_of(job: Job[Any]) -> str:
    return f"{job.kind}-{job.id[:8]}"


def test_the_event_files_say_to_tensorflow_what_the_store_says(
    client: Client, jobs: tuple[Job[Any], Job[Any], Job[Any]], tmp_path: Path
) -> None:
    tf = pytest.importorskip("tensorflow")
    one = jobs[0]
    said = CliRunner().invoke(app, ["tensorboard", one.id, "--write-only", "--logdir", str(tmp_path)])
    assert said.exit_code == 0, said.output
    scalars: dict[str, list[tuple[int, float]]] = {}
    texts, images = {}, {}
    for path in sorted((tmp_path / run_of(one)).glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
                elif value.HasField("image"):
                    images[value.tag, event.step] = tf.io.decode_png(value.image.encoded_image_string).numpy()
                elif value.HasField("tensor") and value.tensor.string_val:
                    texts[value.tag] = value.tensor.string_val[0].decode()
    reported = [(line["step"], np.float32(line["loss"])) for line in one.metrics()]
    assert scalars["loss"] == reported
    assert scalars["result/loss"] == [(reported[-1][0], np.float32(one.result().loss))]
    assert len([tag for tag, _ in images if tag == "samples"]) == len(one.samples())
    last = np.asarray(one.images()[len(one.samples()) - 1].convert("RGB"))
    np.testing.assert_array_equal(images["samples", reported[-1][0]], last)
    assert '"embedding_dim": 3' in next(text for tag, text in texts.items() if tag.startswith("spec"))


def test_a_browser_shows_curves_of_two_jobs_their_fields_and_the_points_of_a_third(
    jobs: tuple[Job[Any], Job[Any], Job[Any]], tmp_path: Path
) -> None:
    one, two, encoded = jobs
    with tensorboard(*(job.id for job in jobs)) as address:
        runs = ask(address, "data/runs")
        assert {run_of(job) for job in jobs} <= set(runs)
        for job in (one, two):
            found = ask(address, f"data/plugin/scalars/scalars?run={run_of(job)}&tag=loss")
            assert [(step, np.float32(value)) for _, step, value in found] == [
                (line["step"], np.float32(line["loss"])) for line in job.metrics()
            ]
        assert ask(address, f"data/plugin/images/images?run={run_of(one)}&tag=samples&sample=0")
        config = ask(address, f"data/plugin/projector/info?run={run_of(encoded)}")["embeddings"][0]
        assert config["tensorShape"] == [1797, 3]
        assert {"metadataPath", "sprite"} <= config.keys()
        shown = page(f"{address}#timeseries", tmp_path)
        assert run_of(one) in shown
        assert run_of(two) in shown
        assert "validation_loss" in shown
        asked = ask(address, "data/plugin/hparams/experiment", experimentName="")
        fields = {field["name"] for field in asked["hparamInfos"]}
        assert {"epochs", "seed", "embedding_dim", "units", "model"} <= fields, "those of both kinds"
        assert "result/loss" in {metric["name"]["tag"] for metric in asked["metricInfos"]}


def test_a_job_that_went_back_to_a_checkpoint_has_no_step_twice(
    client: Client, jobs: tuple[Job[Any], Job[Any], Job[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    job = jobs[0]
    events = JobEvents(job, client.store, tmp_path)
    lines = [{"step": step, "time": 1e9 + step, "stage": "", "loss": 1.0 / step} for step in (1, 2, 3, 4)]
    lost = [*lines[:2], {**lines[2], "loss": 9.0}]  # of an attempt that was killed after step 2's checkpoint
    for told in (lines[:1], lost, lines):
        monkeypatch.setattr(Job, "metrics", lambda self, told=told: told)
        events.update()
        events.ended = False
        events._samples.clear()
    events.close()
    read = EventAccumulator(str(tmp_path / run_of(job))).Reload()
    assert [(each.step, each.value) for each in read.Scalars("loss")] == [
        (line["step"], np.float32(line["loss"])) for line in lines
    ]


@contextmanager
def tensorboard(*words: str) -> Iterator[str]:
    port = free_port()
    main = "from scheduler.cli import main; main()"
    command = [sys.executable, "-c", main, "tensorboard", *words, "--port", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: answers(address), seconds=120)
        yield address
    finally:
        running.terminate()
        running.wait(30)


def answers(address: str) -> bool:
    try:
        tags = ask(address, "data/plugin/scalars/tags")
        return sum("result/loss" in each for each in tags.values()) >= 2
    except OSError:
        return False


def ask(address: str, path: str, **asked: Any) -> Any:
    body = json.dumps(asked).encode() if asked else None
    with urlopen(Request(address + path, body, {"Content-Type": "application/json"}), timeout=30) as answer:
        return json.load(answer)
