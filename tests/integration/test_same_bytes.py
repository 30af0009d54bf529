"""A process that has done many jobs comes to the same bytes as a new one, whatever has happened meanwhile."""

import json
import os
import random
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from jobs import (
    AnswerQuestions,
    ApplyStyle,
    ClassifyImages,
    ClassifyTexts,
    EmbedTexts,
    EncodeImages,
    EvaluateAnswering,
    EvaluateClassifier,
    EvaluateGan,
    EvaluateGeneration,
    EvaluateImageClassifier,
    EvaluateText,
    FillSeries,
    FillText,
    ForecastSeries,
    GenerateImages,
    GenerateTexts,
    ReconstructImages,
    catalog,
)
from jobs.verification.kills import Assignment
from scheduler import Client, Job, JobFailed, JobState
from scheduler.keys import JobKeys
from scheduler.record import NewJob
from scheduler.results import Told
from scheduler.settings import RedisSettings, StoreSettings, WorkerSettings
from tests.chaos.test_kills import runner_of
from tests.cluster import Cluster, cluster
from tests.servers import wait_until
from tests.small_models import write_models
from tests.zygote import Zygote
from worker.devices import Slots, environment

TEXT = {"max_length": 16, "batch_size": 4, "precision": "float32", "engine": "tensorflow"}
ASKED = {"model": "answerer", "batch_size": 4, "precision": "float32"}
SPECS: tuple[Any, ...] = (
    AnswerQuestions(dataset="people", engine="tensorflow", **ASKED),
    AnswerQuestions(questions=("who?",), texts=("film 3, it is.", "", "film 5"), output="csv", **ASKED),
    EvaluateAnswering(dataset="people", **ASKED),
    ClassifyTexts(model="classifier", dataset="texts", **TEXT),
    ClassifyTexts(model="classifier", texts=("great film", "", "a film"), output="csv", **TEXT),
    EmbedTexts(model="classifier", dataset="texts", max_length=16, batch_size=4, precision="float32"),
    EvaluateClassifier(
        model="classifier", dataset="labelled", max_length=16, batch_size=4, precision="float32"
    ),
    ApplyStyle(model="style", dataset="images"),
    EncodeImages(model="encoder", dataset="images"),
    ReconstructImages(model="encoder", dataset="images", count=3),
    ClassifyImages(model="vision", dataset="images", precision="float32"),
    EvaluateImageClassifier(model="vision", dataset="images", precision="float32"),
    FillSeries(dataset="hours"),
    FillText(model="masked", texts=("a [MASK] film", "", "[MASK] [MASK]"), output="csv", precision="float32"),
    EvaluateText(model="masked", dataset="descriptions", max_length=16, rows=8, precision="float32"),
    ForecastSeries(model="series", dataset="hours", origins=2),
    GenerateImages(model="gan", count=5, truncation=1.0, interpolate=2),
    GenerateImages(model="gan", count=3, label="odd", seed=7),
    GenerateTexts(pretrained="tiny-gpt", texts=("great film", "", "a"), max_tokens=4, batch_size=2),
    EvaluateGan(model="gan", count=20),
    EvaluateGeneration(pretrained="tiny-gpt", dataset="descriptions", max_length=16, rows=8),
    EvaluateGeneration(
        pretrained="tiny-gpt",
        questions="labelled",
        prompt_column="text",
        answer_column="label",
        choice_columns=("label", "text"),
    ),
)
#: Long enough to be disturbed.
LONG = ClassifyTexts(model="classifier", texts=("a great film",) * 10_000, **TEXT)
#: What tells the time that it took.
TIMES = ("seconds", "rows_per_second", "questions_per_second", "tokens_per_second")


def test_every_kind_whose_process_is_used_again_is_among_these() -> None:
    ours = {name for name, spec in catalog.kinds().items() if spec.reuses_runner and name[:6] != "trial."}
    assert {spec.kind for spec in SPECS} == ours


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_models(home)
    rows = [f"great film {n},{'good' if n % 3 else 'bad'}" for n in range(20)]
    (home / "labelled.csv").write_text("\n".join(["text,label", *rows]))
    return home


def data(home: Path) -> dict[str, Path]:
    names = ("texts.csv", "labelled.csv", "hours.csv", "images.npz", "people.json")
    return {Path(name).stem: home / name for name in names}


@pytest.fixture(scope="module")
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, home: Path
) -> Iterator[tuple[Cluster, Client]]:
    """A worker of one slot, on a store that has the models."""
    variables = {"TRIPTYCH_WARM_RUNNERS": "0", "TRIPTYCH_SLOTS": "1", "TRIPTYCH_THREADS": "1"}
    with cluster(redis_settings, store_settings, home, **variables) as built:
        client = built.client()
        for name, path in data(home).items():
            client.datasets.upload(name, path)
        for name in ("answerer", "classifier", "encoder", "gan", "masked", "series", "style", "vision"):
            adopt(client, name, home / name)
        built.scheduler()
        built.worker()
        yield built, client


def adopt(client: Client, job_id: str, folder: Path) -> None:
    """Enters a job that was done elsewhere, as it stands in its folder."""
    spec = folder / "spec.json"
    wire = json.loads(spec.read_text()) if spec.exists() else {"kind": "transformer.finetune"}
    keys = JobKeys(job_id)
    client.store.put_json(keys.spec, {"id": job_id, "spec": wire})
    for path in (folder / "artifacts").rglob("*"):
        if path.is_file():
            client.store.put_file(keys.artifact(path.relative_to(folder / "artifacts").as_posix()), path)
    job = NewJob(job_id, wire["kind"], "cpu", 5, json.dumps(wire), attempts=1)
    client.records.create(job, ended=JobState.SUCCEEDED)


def alone(home: Path) -> list[tuple[dict[str, bytes], dict[str, Any]]]:
    """What each comes to in a new process."""
    found = []
    with Zygote("0", environment(WorkerSettings(), Slots(1, 1))) as new:
        for number, spec in enumerate(SPECS):
            folder = home / f"alone-{number}"
            assignment = Assignment(
                spec.to_wire(), str(folder), {name: str(path) for name, path in data(home).items()}, None
            )
            assert new(assignment, home / "alone.log") == 0, (home / "alone.log").read_text()
            files = {
                path.relative_to(folder / "artifacts").as_posix(): path.read_bytes()
                for path in (folder / "artifacts").rglob("*")
                if path.is_file()
            }
            found.append((files, said(json.loads((folder / "result.json").read_text()))))
    return found


def said(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in TIMES}


def came_to(client: Client, job: Job[Any]) -> tuple[dict[str, bytes], dict[str, Any]]:
    job.wait(240)
    files = {name: job.artifact(name) for name in job.artifacts() if name != "report.html"}
    return files, said(Told.read(client.store, JobKeys(job.id)).result)


def where(client: Client, job: Job[Any]) -> Mapping[str, str]:
    keys = JobKeys(job.id)
    told: Mapping[str, str] | None = Told.read(client.store, keys).environment
    return told or client.store.get_json(keys.environment(job.record.attempt))


def fails(client: Client, _: Cluster) -> None:
    with pytest.raises(JobFailed, match="BAD_INPUT"):
        client.submit(GenerateImages(model="gan", label="neither")).wait(240)


def is_cancelled(client: Client, _: Cluster) -> None:
    job = client.submit(LONG)
    wait_until(lambda: job.progress is not None, 240)
    job.cancel()
    wait_until(lambda: job.state.final, 240)
    assert job.state is JobState.CANCELLED


def is_killed(client: Client, servers: Cluster) -> None:
    """Its process; it is done in another one."""
    job = client.submit(LONG)
    wait_until(lambda: job.progress is not None, 240)
    os.kill(runner_of(servers.processes[-1], job), signal.SIGKILL)
    job.wait(240)
    assert job.record.attempt == 2


def test_used_and_new_processes_come_to_the_same_bytes(running: tuple[Cluster, Client], home: Path) -> None:
    servers, client = running
    expected = alone(home)
    numbers = [*range(len(SPECS)), 0, 2, 4, 6]
    random.Random(5).shuffle(numbers)
    between = {2: fails, 4: is_killed, 7: is_cancelled}
    told = []
    for place, number in enumerate(numbers):
        if place in between:
            between[place](client, servers)
        job = client.submit(SPECS[number])
        assert came_to(client, job) == expected[number], SPECS[number]
        told.append(where(client, job))
    befores = [int(each.get("jobs before in this process", 0)) for each in told]
    assert max(befores) >= 3, befores  # else nothing was shown
    assert any("in memory" in each.get("model", "") for each in told)
