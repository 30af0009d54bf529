"""Finished jobs cost nothing: what a list or a round of recovery takes grows with what is due."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo

from scheduler import Client, JobState
from scheduler.artifacts import ArtifactStore
from scheduler.queue import make_app
from scheduler.record import NewJob
from scheduler.records import Records
from scheduler.recovery import Recovery
from scheduler.settings import LeaseSettings, RedisSettings, StoreSettings
from tests.servers import redis_server

DUE = 3


@pytest.fixture
def redis_settings(tmp_path: Path) -> Iterator[RedisSettings]:
    """A server of its own: what other tests have left running would be counted as well."""
    with redis_server(tmp_path) as settings:
        yield settings


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    return built


def enter(records: Records, name: str, ended: JobState | None = None) -> None:
    spec = Echo(text=name)
    records.create(
        NewJob(name, spec.kind, "cpu", 5, spec.model_dump_json(exclude={"kind"}), attempts=5), ended=ended
    )


def commands(records: Records, action: Callable[[], object]) -> dict[str, int]:
    """How often Redis did what, scripts included."""
    records.redis.config_resetstat()
    action()
    statistics = records.redis.info("commandstats")
    uncounted = ("cmdstat_config|resetstat", "cmdstat_info", "cmdstat_client|setinfo", "cmdstat_auth")
    uncounted += ("cmdstat_ping",)  # of connections that were not used for a while, on a busy machine
    return {name: figures["calls"] for name, figures in statistics.items() if name not in uncounted}


def test_neither_a_list_nor_a_round_of_recovery_does_more_with_a_long_history(
    client: Client, redis_settings: RedisSettings, store_settings: StoreSettings
) -> None:
    records = client.records
    store, app, settings = ArtifactStore(store_settings), make_app(redis_settings), LeaseSettings()

    def due(name: str) -> None:
        for number in range(DUE):
            enter(records, f"{name}-{number}")
            assert records.claim(f"{name}-{number}", "a worker", 1)
            records.redis.zadd("triptych:leases", {f"{name}-{number}": 0})

    def actions() -> dict[str, Callable[[], object]]:
        return {
            "list": lambda: client.list(limit=20),
            "of a state": lambda: client.list(state=JobState.SUCCEEDED, limit=20),
            "of a state and a kind": lambda: client.list(
                state=JobState.SUCCEEDED, kind="trial.echo", limit=20
            ),
            # A new one each time: it remembers how far its search for lost messages has come.
            "recovery": Recovery(records, store, app, settings).round,
        }

    def figures(name: str) -> dict[str, dict[str, int]]:
        due(name)
        return {what: commands(records, action) for what, action in actions().items()}

    def clear() -> None:
        for job in client.list(limit=100):
            if not job.state.final:
                records.cancel(job.id)
        records.redis.delete("cpu\x06\x165")

    for number in range(30):
        enter(records, f"old-{number}", JobState.SUCCEEDED)
    figures("warm")  # scripts and connections are there from now on
    clear()
    few = figures("few")
    clear()
    for number in range(3000):
        enter(records, f"older-{number}", JobState.SUCCEEDED)
    many = figures("many")
    assert many == few
    assert len(client.list(state=JobState.SUCCEEDED, kind="trial.echo", limit=20)) == 20
    assert [record.state for record in records.newest(kind="trial.echo", limit=DUE)].count(
        JobState.SUCCEEDED
    ) == 0
