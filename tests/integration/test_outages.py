"""Redis and S3 killed, full, read-only or replaced: waits go on, and all else ends in an error of ours."""

import inspect
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from triptych_trial.spec import Echo
from typer.testing import CliRunner

from scheduler import Client, Job, JobState, TriptychError
from scheduler.archive import Archive
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.connection import connect
from scheduler.datasets import DataSets
from scheduler.embedded.process import Process
from scheduler.entering import Entering
from scheduler.errors import (
    AccessRefused,
    DamagedArtifact,
    Refused,
    TimedOut,
    Unanswered,
    Unreachable,
)
from scheduler.keys import JobKeys
from scheduler.models import Models
from scheduler.records import Records
from scheduler.removal import Removal
from scheduler.settings import RedisSettings, StoreSettings
from scheduler.sweeps.spaces import choice
from scheduler.workers import Workers
from tests.servers import redis_service, wait_until


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    connect(redis_settings).flushdb()
    built = Client(redis_settings, store_settings)
    built.store.ensure_bucket()
    return built


class Mortal:
    """A Redis that can be killed and started again on its port, with its data."""

    def __init__(self, folder: Path) -> None:
        self.service = redis_service(folder)
        self._log = folder / "redis.log"
        self._process: Process | None = None
        self.settings = RedisSettings(redis_url=SecretStr(self.service.url))
        self.start()

    def start(self) -> None:
        self._process = Process(self.service, self._log)

    def kill(self) -> None:
        assert self._process is not None
        self._process.end(0.0)

    def wait(self) -> None:
        while not self.service.ready():
            time.sleep(0.05)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    server = Mortal(tmp_path)
    server.wait()
    yield server
    server.kill()


def finish(client: Client, job: Job[Any]) -> None:
    """What a worker does, at once."""
    claimed = client.records.claim(job.id, "w", 60)
    assert claimed is not None
    result = {"job": job.id, "kind": "trial.echo", "attempt": 1, "result": {"text": "x"}}
    client.store.put_json(JobKeys(job.id).result, result)
    assert client.records.settle(job.id, claimed.attempt, JobState.SUCCEEDED)


def test_a_wait_outlives_a_redis_that_is_killed_again_and_again(
    mortal: Mortal, store_settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(mortal.settings, store_settings)
    client.store.ensure_bucket()
    job = client.submit(Echo(text="x"))
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(job.wait(120).text)),
        threading.Thread(target=lambda: found.append([each.state for each in job.updates(120)][-1])),
        threading.Thread(target=lambda: found.append("".join(job.logs(follow=True)))),
    ]
    for thread in threads:
        thread.start()
    for away in (0.3, 3.5, 0.3, 0.0, 0.3):  # one is longer than the client tries by itself
        mortal.kill()
        time.sleep(away)
        mortal.start()
        mortal.wait()
    finish(client, job)
    for thread in threads:
        thread.join(120)
    assert sorted(map(str, found)) == ["", "SUCCEEDED", "x"]
    assert "waiting for it" in caplog.text


def test_watch_outlives_it_too_and_says_that_it_waits(
    mortal: Mortal, store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_servers(monkeypatch, mortal.settings, store_settings)
    client = Client()
    job = client.submit(Echo(text="x"))
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(CliRunner().invoke(app, ["watch", job.id])))
    thread.start()
    time.sleep(0.5)
    mortal.kill()
    time.sleep(4)
    mortal.start()
    mortal.wait()
    finish(client, job)
    thread.join(120)
    assert outcome[0].exit_code == 0, outcome[0].output
    assert outcome[0].stdout.splitlines()[-1] == "SUCCEEDED"


def name_servers(patch: pytest.MonkeyPatch, redis: RedisSettings, store: StoreSettings) -> None:
    patch.setenv("TRIPTYCH_REDIS_URL", redis.redis_url.get_secret_value())
    patch.setenv("TRIPTYCH_S3_URL", store.s3_url)
    patch.setenv("TRIPTYCH_S3_ACCESS_KEY", store.s3_access_key.get_secret_value())
    patch.setenv("TRIPTYCH_S3_SECRET_KEY", store.s3_secret_key.get_secret_value())


def test_the_end_of_a_timeout_says_whether_a_server_was_away(client: Client, mortal: Mortal) -> None:
    job = client.submit(Echo(text="x"))
    with pytest.raises(TimedOut, match=r"is QUEUED after 0\.2 s; it goes on") as ended:
        job.wait(timeout=0.2)
    assert isinstance(ended.value, TimeoutError)
    assert not isinstance(ended.value, Unreachable)
    away = Client(mortal.settings, client.store.settings).submit(Echo(text="x"))
    mortal.kill()
    with pytest.raises(Unanswered, match=r"nothing is known of it after 1 s: Redis at .* does not answer"):
        away.wait(timeout=1)


def test_a_wait_ends_at_once_where_waiting_does_not_help(client: Client) -> None:
    job = client.submit(Echo(text="x"))
    finish(client, job)
    wrong = client.store.settings.model_copy(update={"s3_secret_key": SecretStr("not-the-right-one")})
    with pytest.raises(AccessRefused, match="refuses these keys"):
        Job(client.records, ArtifactStore(wrong), job.id).wait()


#: A call that may need no server, with the arguments that it needs to be a right one.
PUBLIC: dict[str, Callable[[Client, Job[Any]], object]] = {
    "submit": lambda client, job: client.submit(Echo(text="y")),
    "submit with a key": lambda client, job: client.submit(Echo(text="y"), key="k"),
    "submit after": lambda client, job: client.submit(Echo(text="y"), after=[job]),
    "get": lambda client, job: client.get(job.id),
    "list": lambda client, job: client.list(),
    "list since": lambda client, job: client.list(since=0.0),
    "delete": lambda client, job: client.delete(job.id),
    "prune": lambda client, job: client.prune(0.0),
    "datasets.delete": lambda client, job: client.datasets.delete("faces"),
    "extend": lambda client, job: client.extend(job, 3),
    "rerun": lambda client, job: client.rerun(job),
    "name": lambda client, job: client.name("best", job),
    "metrics_table": lambda client, job: client.metrics_table([job]),
    "sweep": lambda client, job: client.sweep(
        Echo(), {"seed": choice(1, 2)}, metric="steps", direction="max", trials=2
    ),
    "client.sweeps": lambda client, job: client.sweeps.list(),
    "now": lambda client, job: client.now(),
    "client.schedules": lambda client, job: client.schedules.list(),
    "pause": lambda client, job: job.pause(),
    "resume": lambda client, job: job.resume(),
    "set_priority": lambda client, job: job.set_priority(3),
    "counts": lambda client, job: client.records.counts(),
    "datasets.upload": lambda client, job: client.datasets.upload("texts", "texts.csv"),
    "datasets.list": lambda client, job: client.datasets.list(),
    "datasets.get": lambda client, job: client.datasets.get("faces"),
    "workers.living": lambda client, job: client.workers.living(),
    "workers.drain": lambda client, job: client.workers.drain("w"),
    "updates": lambda client, job: list(job.updates(0.1)),
    "watch": lambda client, job: job.watch(0.1),
    "wait": lambda client, job: job.wait(0.1),
    "logs": lambda client, job: list(job.logs()),
    "cancel": lambda client, job: job.cancel(),
    "past_attempts": lambda client, job: job.past_attempts(),
    "report": lambda client, job: job.report(),
    **{
        name: lambda client, job, name=name: getattr(job, name)  # type: ignore[misc]
        for name in ("record", "kind", "spec", "state", "progress", "cause", "message", "log_key")
    },
    **{
        name: lambda client, job, name=name: getattr(job, name)()  # type: ignore[misc]
        for name in (
            "result",
            "ending",
            "samples",
            "artifacts",
            "images",
            "newest_picture",
            "metrics",
            "parts",
            "__repr__",
        )
    },
    "artifact": lambda client, job: job.artifact("grid.png"),
    "read": lambda client, job: job.read(JobKeys(job.id).result),
    "download": lambda client, job: job.download("copies"),
    "download_images": lambda client, job: job.download_images("copies"),
    "_repr_html_": lambda client, job: job._repr_html_(),
}


def test_no_public_call_is_forgotten() -> None:
    known = {name.partition(" ")[0].rpartition(".")[2] for name in PUBLIC}
    for owner in (Client, Job):
        public = {name for name, _ in inspect.getmembers(owner) if not name.startswith("_")}
        assert public - {"app", "datasets", "records", "store", "id"} <= known, owner


@pytest.fixture(scope="module")
def nowhere() -> Iterator[Client]:
    """A client whose servers went away after it was made."""
    patch = pytest.MonkeyPatch()
    patch.setattr("redis.backoff.ExponentialBackoff.compute", lambda *_: 0.0)  # no pauses between its tries
    patch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda *_: 0.0)
    built = object.__new__(Client)
    built._redis_settings = RedisSettings(redis_url=SecretStr("redis://:pw@127.0.0.1:1/0"))
    built.store = ArtifactStore(
        StoreSettings(
            s3_url="http://127.0.0.1:1", s3_access_key=SecretStr("key"), s3_secret_key=SecretStr("secret")
        )
    )
    built.archive = Archive(built.store)
    built.records = Records(connect(built._redis_settings), archive=built.archive)
    built.removal, built.models = Removal(built.records, built.store), Models(built.store)
    built.datasets = DataSets(built.store, built.removal)
    built.workers = Workers(built.records.redis)
    built._entering = Entering(built._redis_settings, built.records, built.store)
    yield built
    patch.undo()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_call_ends_in_an_error_of_ours_when_no_server_answers(
    name: str, nowhere: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text("text\nhello\n")
    job: Job[Any] = Job(nowhere.records, nowhere.store, "0123456789abcdef")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 does not answer") as ended:
        PUBLIC[name](nowhere, job)
    assert isinstance(ended.value, TriptychError)
    assert len(str(ended.value).splitlines()) == 1


COMMANDS = [
    ["submit", "trial.echo", "--text", "x"],
    ["jobs"],
    ["jobs", "--since", "30d"],
    ["delete", "a"],
    ["delete", "a", "b"],
    ["prune", "--older-than", "30d"],
    ["doctor"],
    ["datasets", "delete", "faces"],
    ["show", "a"],
    ["watch", "a"],
    ["logs", "a"],
    ["cancel", "a"],
    ["artifacts", "a"],
    ["images", "a"],
    ["report", "a", "--out", "report.html"],
    ["workers"],
    ["drain", "w"],
    ["recover"],
    ["status"],
    ["status", "--json"],
    ["datasets", "list"],
    ["datasets", "upload", "texts", "texts.csv"],
]


@pytest.mark.usefixtures("nowhere")  # for its short tries
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_ends_with_the_code_of_not_reachable(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text("text\nhello\n")
    store = StoreSettings(
        s3_url="http://127.0.0.1:1", s3_access_key=SecretStr("key"), s3_secret_key=SecretStr("secret")
    )
    name_servers(monkeypatch, RedisSettings(redis_url=SecretStr("redis://:hidden@127.0.0.1:1/0")), store)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3, result.output
    assert "Traceback" not in result.output
    assert "hidden" not in result.output


@pytest.fixture
def admin(mortal: Mortal) -> Redis:
    return Redis.from_url(mortal.service.url)


def fill(admin: Redis) -> None:
    admin.config_set("maxmemory", "1")  # type: ignore[no-untyped-call]


def demote(admin: Redis) -> None:
    admin.replicaof("127.0.0.1", "1")  # type: ignore[no-untyped-call]


def break_disk(admin: Redis) -> None:
    admin.config_set("save", "1 1")  # type: ignore[no-untyped-call]
    folder = str(admin.config_get("dir")["dir"])  # type: ignore[no-untyped-call]
    shutil.rmtree(folder)
    admin.set("changed", "1")
    admin.bgsave()  # type: ignore[no-untyped-call]
    wait_until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] != "ok")


@pytest.mark.parametrize(
    ("harm", "said"),
    [(fill, "its memory is full"), (demote, "it is a replica"), (break_disk, "it cannot write to its disk")],
)
def test_a_redis_that_refuses_writes_is_said_to_and_what_only_reads_goes_on(
    mortal: Mortal,
    admin: Redis,
    store_settings: StoreSettings,
    harm: Callable[[Redis], None],
    said: str,
) -> None:
    client = Client(mortal.settings, store_settings)
    client.store.ensure_bucket()
    job = client.submit(Echo(text="x"))
    before = {item.key for item in client.store.under("jobs/")}
    harm(admin)
    with pytest.raises(Refused, match=f"Redis at .* refuses: .*{said}"):
        client.submit(Echo(text="y"))
    assert {item.key for item in client.store.under("jobs/")} == before  # nothing is left to be recovered
    with pytest.raises(Refused):
        job.cancel()
    assert job.state is JobState.QUEUED
    assert client.list()[0].id == job.id
    assert client.workers.living() == []
    with pytest.raises(TimedOut):
        job.wait(timeout=0.1)


def test_a_short_timeout_of_redis_does_not_make_a_wait_an_outage(client: Client) -> None:
    hasty = client._redis_settings.model_copy(update={"redis_timeout": 0.5})
    job = Client(hasty, client.store.settings).submit(Echo(text="x"))
    with pytest.raises(TimedOut) as ended:
        job.wait(timeout=2)
    assert not isinstance(ended.value, Unreachable)


def test_what_is_no_redis_and_no_s3_is_said_to_be_none(client: Client) -> None:
    store, redis = client.store.settings, client._redis_settings
    at_s3 = RedisSettings(redis_url=SecretStr(f"redis://{store.s3_url.removeprefix('http://')}/0"))
    with pytest.raises((Refused, Unreachable)):
        Client(at_s3, store)
    at_redis = StoreSettings(
        s3_url=f"http://{redis.address}", s3_access_key=store.s3_access_key, s3_secret_key=store.s3_secret_key
    )
    with pytest.raises((Refused, Unreachable)):
        ArtifactStore(at_redis).get("jobs/a/spec.json")


def test_a_damaged_result_is_named(client: Client) -> None:
    job = client.submit(Echo(text="x"))
    finish(client, job)
    for content in (b"<html>", b"{}", b'{"result": {"other": 1}}'):
        client.store.put(JobKeys(job.id).result, content)
        with pytest.raises(DamagedArtifact, match=r"result\.json"):
            job.wait(1)


def test_a_store_that_was_replaced_by_an_empty_one_gets_its_bucket(client: Client) -> None:
    empty = client.store.settings.model_copy(update={"s3_bucket": "brand-new"})
    fresh = Client(client._redis_settings, empty)
    job = fresh.submit(Echo(text="x"))
    assert fresh.store.get_json(JobKeys(job.id).spec)["id"] == job.id


def test_a_silent_redis_is_waited_for(mortal: Mortal, store_settings: StoreSettings) -> None:
    assert mortal._process is not None
    hasty = mortal.settings.model_copy(update={"redis_timeout": 0.2})
    client = Client(hasty, store_settings)
    client.store.ensure_bucket()
    job = client.submit(Echo(text="x"))
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(job.wait(120).text))
    thread.start()
    pid = int(Redis.from_url(mortal.service.url).info("server")["process_id"])

    os.kill(pid, signal.SIGSTOP)
    time.sleep(4)
    os.kill(pid, signal.SIGCONT)
    finish(client, job)
    thread.join(120)
    assert found == ["x"]
