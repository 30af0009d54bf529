"""A Redis whose memory is nearly used up: new jobs are refused, and those that run end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Steps
from typer.testing import CliRunner

from scheduler import Client, JobState
from scheduler.capacity import memory
from scheduler.cli.commands import app
from scheduler.errors import NearlyFull, Refused
from scheduler.monitoring.figures import Figures
from scheduler.record import NewJob
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.history import clock
from tests.servers import redis_server, wait_until

LIMIT = 20 * 1024 * 1024


@pytest.fixture
def running(tmp_path: Path, store_settings: StoreSettings) -> Iterator[Cluster]:
    with (
        redis_server(tmp_path) as redis,
        cluster(redis, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0") as built,
    ):
        yield built


def fill(client: Client) -> int:
    """Enters jobs that ended long ago until no more are taken; how many were."""
    ended = clock(client) - 100 * 86400
    spec = json.dumps(Echo(text="x" * 1000).to_wire())
    for number in range(50_000):
        past = {"created": f"{ended:.6f}", "finished": f"{ended:.6f}", "padding": "x" * 20_000}
        try:
            job = NewJob(f"{number:016x}", Echo.kind, "cpu", 5, spec, attempts=5, past=past)
            client.records.create(job, ended=JobState.SUCCEEDED)
        except NearlyFull:
            # A little more: what clients take at the moment comes and goes.
            client.records.redis.set("filler", "x" * (LIMIT // 40))
            return number
    raise AssertionError("it never was full")


def test_submitting_is_refused_before_redis_is_full_and_running_jobs_end_like_undisturbed_ones(
    running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = running.client()
    client.records.redis.config_set("maxmemory", LIMIT)
    running.scheduler()
    running.worker(TRIPTYCH_SLOTS="2")
    undisturbed = client.submit(Steps(steps=30, says="x" * 1000)).wait(60)
    begun = client.submit(Steps(steps=150, says="x" * 1000))
    queued = [client.submit(Steps(steps=30, says="x" * 1000)) for _ in range(2)]
    wait_until(lambda: begun.progress is not None)

    entered = fill(client)
    assert entered > 100
    for attempt in range(20):
        with pytest.raises(Refused, match=r"its memory is nearly full .* so no new job is accepted"):
            client.submit(Echo(text=f"refused {attempt}"), key=f"key {attempt}")
    used = memory(client.records.redis)
    assert (used.limit, used.nearly_full) == (LIMIT, True)

    for name, value in _servers(running.redis, running.store).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["submit", "trial.echo"])
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "so no new job is accepted" in result.stderr
    assert "its memory is nearly full" in CliRunner().invoke(app, ["status"]).stderr
    told = {
        sample.labels["what"]: sample.value
        for family in Figures(client.records).collect()
        for sample in family.samples
        if family.name == "triptych_redis_memory_bytes"
    }
    assert told["limit"] == LIMIT
    assert told["used"] > 0.85 * LIMIT

    assert begun.wait(120).steps == 150
    assert [job.wait(120) for job in queued] == [undisturbed, undisturbed]
    assert max(job.record.attempt for job in (begun, *queued)) == 1
    assert memory(client.records.redis).used < LIMIT

    assert client.prune(90 * 86400.0).freed.jobs == entered
    assert client.submit(Echo(text="refused 3"), key="key 3").wait(60).text == "refused 3"
    texts = [job.record.spec["text"] for job in client.list(kind=Echo.kind, limit=100)]
    assert texts == ["refused 3"], "nothing that was refused runs later"
    stored = {item.key.split("/")[1] for item in client.store.under("jobs/")}
    assert len([job for job in client.list(limit=100) if job.id in stored]) == 5


def test_a_redis_that_is_full_can_be_pruned(running: Cluster) -> None:
    client = running.client()
    client.records.redis.config_set("maxmemory", LIMIT)
    entered = fill(client)
    client.records.redis.config_set("maxmemory", "1")
    with pytest.raises(Refused, match="its memory is full"):
        client.submit(Echo())
    client.records.redis.config_set("maxmemory", LIMIT)
    with pytest.raises(Refused, match="command not allowed"):
        for number in range(10_000):
            client.records.redis.set(f"more-{number}", "x" * 2000)
    assert client.prune(90 * 86400.0).freed.jobs == entered


def _servers(redis: RedisSettings, store: StoreSettings) -> dict[str, str]:
    from worker.__main__ import connection

    return connection(redis, store)
