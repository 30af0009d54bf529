"""Jobs whose records have left Redis: found, shown and used like all others."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from triptych_trial.spec import Echo, Rows, Steps
from typer.testing import CliRunner, Result

from jobs.dividing.parts import Part
from scheduler import Client, JobState
from scheduler.archive import day_of
from scheduler.archiving import Archiving
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.connection import PREFIX
from scheduler.doctor import Doctor, Findings
from scheduler.errors import StillNeeded, UnknownJob
from scheduler.keys import JobKeys, part_id
from scheduler.leftovers import remove_leftovers
from scheduler.parts import Parts
from scheduler.queue import make_app
from scheduler.rebuild import rebuild
from scheduler.record import NewJob, NewPart
from scheduler.recovery import Recovery
from scheduler.retention import Retention
from scheduler.settings import LeaseSettings, RedisSettings, RetentionSettings, StoreSettings
from tests.cluster import cluster
from tests.history import clock, enter
from tests.servers import s3_server

OLD, OTHER, YOUNG = "a1b2c3d4e5f60718", "a1b2ffffe5f60718", "0123456789abcdef"


@pytest.fixture(scope="module")
def store_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    with s3_server(tmp_path_factory.mktemp("s3")) as settings:
        yield settings


@pytest.fixture
def client(emptied_client: Client) -> Client:
    return emptied_client


def archive(client: Client, **rules: str) -> None:
    settings = RetentionSettings(**{"keep_checkpoints": "off", **rules})  # type: ignore[arg-type]
    retention = Retention(client.records, client.store, settings)
    while retention.step():
        pass


def look(client: Client) -> Findings:
    return Doctor(client.records, client.store, grace=0.0).look()


def triptych(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


def keys_of(client: Client, job_id: str) -> list[str]:
    return [str(key) for key in client.records.redis.scan_iter(match=f"{PREFIX}*{job_id}*", count=1000)]


def test_an_archived_job_has_left_redis_and_is_shown_as_before(client: Client) -> None:
    enter(client, OLD, days=100)
    enter(client, YOUNG, days=80)
    client.records.redis.rpush(
        f"{PREFIX}attempts:{OLD}", json.dumps({"attempt": 1, "cause": "BUG", "message": "m"})
    )
    before = client.get(OLD).record
    shown = triptych("show", OLD).stdout
    archive(client)
    assert [key for key in keys_of(client, OLD) if ":archived:" not in key] == []
    job = client.get("a1b2c3")
    assert job.record.archived
    assert (job.record.created, job.record.finished, job.spec) == (
        before.created,
        before.finished,
        Echo(text=OLD),
    )
    assert job.wait().text == OLD
    assert job.past_attempts()[0]["message"] == "m"
    assert job.state is JobState.SUCCEEDED
    assert [line for line in triptych("show", OLD).stdout.splitlines() if line != "archived\tyes"] == (
        shown.splitlines()
    )
    assert job.artifact("echo.txt") == bytes(20)
    assert OLD in job.report()
    assert "had ended before: SUCCEEDED" in triptych("cancel", OLD).stderr
    assert [each.id for each in client.list()] == [YOUNG]
    assert client.records.counts()[JobState.SUCCEEDED] == 1
    assert look(client).healthy
    with pytest.raises(UnknownJob, match="there is no job 'a1b3'"):
        client.get("a1b3")


def test_archived_jobs_are_listed_by_time_state_and_kind(client: Client) -> None:
    ids = [f"{number:016x}" for number in range(12)]
    for number, job_id in enumerate(ids):
        state = JobState.FAILED if number % 3 == 0 else JobState.SUCCEEDED
        enter(client, job_id, days=200 - 12 * number, state=state, kind=(Steps if number % 2 else Echo).kind)
    archive(client)
    assert [job.id for job in client.list()] == [ids[11], ids[10]][: len(client.list())]
    everything = triptych("jobs", "--since", "2000-01", "--limit", "100").stdout
    assert [line.split("\t")[0] for line in everything.splitlines()] == ids[::-1]
    failed = triptych("jobs", "--since", "400d", "--state", "failed", "--kind", "trial.echo").stdout
    assert [line.split("\t")[0] for line in failed.splitlines()] == [ids[6], ids[0]]
    now = clock(client)
    between = client.list(since=now - 190 * 86400, until=now - 150 * 86400)
    assert [job.id for job in between] == [ids[4], ids[3], ids[2], ids[1]]
    assert [job.id for job in client.list(since=0.0, limit=3, offset=5)] == [ids[6], ids[5], ids[4]]
    assert "received '2026-13'" in triptych("jobs", "--since", "2026-13", code=2).stderr


def test_listing_reads_days_and_never_the_bucket(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for job_id in (OLD, OTHER, YOUNG):
        enter(client, job_id, days=100)
    archive(client)
    asked: list[str] = []
    under = ArtifactStore.under

    def listed(store: ArtifactStore, folder: str, recursive: bool = True) -> Any:
        asked.append(folder)
        return under(store, folder, recursive)

    monkeypatch.setattr(ArtifactStore, "under", listed)
    assert len(client.list(since=0.0)) == 3
    assert client.get("a1b2c").record.archived
    # Empty folders of other days stay in some stores.
    day = day_of(clock(client) - 100 * 86400 - 60)
    assert f"archive/days/{day}/" in asked
    assert [folder for folder in asked if not folder.startswith("archive/days/")] == [
        "archive/jobs/a1/b2/a1b2c"
    ]


def test_a_job_can_name_an_archived_one_and_keeps_it(
    client: Client, redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> None:
    enter(client, OLD, days=100)
    archive(client)
    child = client.submit(Echo(text="child", after_model="a1b2"), after=[OLD])
    assert child.state is JobState.QUEUED
    assert child.record.parents == (OLD,)
    with pytest.raises(StillNeeded, match=f"needed by job {child.id}"):
        client.delete(OLD, force=True)
    assert client.prune(0.0).kept == 1
    redis = client.records.redis
    redis.flushdb()
    assert rebuild(client.records, client.store).jobs == {JobState.QUEUED: 1}, "what is archived stays there"
    assert not client.records.knows(OLD)
    built = cluster(redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0")
    with built as running:
        rebuild(client.records, client.store)
        running.scheduler()
        running.worker()
        assert client.get(child.id).wait(120).text == "child"


def test_a_job_that_names_one_that_is_archived_meanwhile_runs(client: Client) -> None:
    enter(client, OLD, days=100)
    parent = client.get(OLD).record
    archive(client)
    assert not parent.archived
    child = client.submit(Echo(), after=[OLD])
    assert child.state is JobState.QUEUED
    # As one that looked before, and enters after.
    client.records.redis.hdel(f"{PREFIX}job:{child.id}", "archived_parents")
    new = NewJob("f" * 16, Echo.kind, "cpu", 5, json.dumps(Echo().to_wire()), 5, parents=[OLD])
    assert client.records.create(new) == ("f" * 16, JobState.QUEUED)
    unknown = replace(new, id="e" * 16, parents=["d" * 16])
    assert client.records.create(unknown)[1] is JobState.FAILED


def test_what_is_needed_is_not_archived_before_it_is_let_go_of(client: Client) -> None:
    enter(client, OLD, days=100)
    child = client.submit(Echo(after_model=OLD))
    archive(client)
    assert client.records.knows(OLD)
    child.cancel()
    archive(client)
    assert not client.records.knows(OLD)


@pytest.mark.parametrize("moment", range(1, 6))
def test_archiving_that_is_broken_off_loses_nothing_and_is_done_the_next_time(
    client: Client, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    for job_id in (OLD, OTHER, YOUNG):
        enter(client, job_id, days=100)
    left, put = moment, ArtifactStore.put

    def broken(store: ArtifactStore, *arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        put(store, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactStore, "put", broken)
        try:
            Archiving(client.records, client.archive).move([OLD, OTHER, YOUNG])
        except KeyboardInterrupt:
            assert moment < 5
    assert {job.id for job in client.list(since=0.0)} == {OLD, OTHER, YOUNG}
    archive(client)
    assert [job.id for job in client.list()] == []
    assert {job.id for job in client.list(since=0.0)} == {OLD, OTHER, YOUNG}
    assert look(client).healthy


def test_archived_jobs_are_pruned_and_deleted_with_all_that_tells_of_them(client: Client) -> None:
    ids = [f"{number:016x}" for number in range(10)]
    for number, job_id in enumerate(ids):
        enter(client, job_id, days=200 - 10 * number)
    archive(client)
    client.delete(ids[9])
    assert client.prune(150 * 86400.0, what="checkpoints").freed.objects == 6
    assert client.get(ids[0]).record.removed == ("checkpoints",)
    assert client.prune(150 * 86400.0, what="checkpoints").freed.objects == 0
    would = client.prune(150 * 86400.0, dry_run=True)
    done = client.prune(150 * 86400.0)
    assert (would.freed, done.freed.jobs) == (done.freed, 6)
    assert [job.id for job in client.list(since=0.0)] == [ids[8], ids[7], ids[6]]
    assert {item.key.split("/")[1] for item in client.store.under("jobs/")} == {*ids[6:9]}
    assert look(client).healthy
    client.archive.forget([ids[8]])  # a deletion that was broken off before its last step
    client.store.delete_all([item.key for item in client.store.under(JobKeys(ids[8]).folder)])
    assert look(client).stale
    remove_leftovers(client.records, client.store, 0.0, grace=0.0)
    assert look(client).healthy


def test_a_rule_that_is_due_only_later_takes_archived_jobs_as_well(client: Client) -> None:
    enter(client, OLD, days=100)
    enter(client, OTHER, days=200)
    archive(client, keep_artifacts="150d")
    assert "artifacts" in client.get(OTHER).record.removed
    archived = client.records.redis
    archived.hset(f"{PREFIX}cleaned", "walk", 1)
    archive(client, keep_artifacts="95d")
    assert client.get(OLD).record.removed == ("checkpoints", "artifacts")
    assert look(client).healthy


def test_a_divided_job_keeps_its_parts_in_the_archive(client: Client) -> None:
    job = client.submit(Rows(), parts=2)
    claimed = client.records.claim(job.id, "w", 60)
    assert claimed is not None
    parts = [NewPart(part_id(job.id, n), Part(n, 2, 10 * (n - 1), 10 * n), f"print-{n}") for n in (1, 2)]
    assert Parts(client.records).enter(job.id, 1, parts)
    client.get(job.id).cancel()
    client.records.redis.zadd(f"{PREFIX}ended", {job.id: 1.0})
    before = [(each.id, each.state) for each in job.parts()]
    assert len(before) == 2
    archive(client)
    assert not [key for key in keys_of(client, job.id) if ":archived:" not in key]
    assert [(each.id, each.state) for each in client.get(job.id).parts()] == before


def test_a_day_with_many_small_objects_is_put_together(client: Client) -> None:
    ids = [f"{number:016x}" for number in range(30)]
    for job_id in ids:
        enter(client, job_id, days=100, left={})
        Archiving(client.records, client.archive).move([job_id])
    assert len(list(client.store.under("archive/days/"))) < 12
    assert {job.id for job in client.list(since=0.0, limit=100)} == set(ids)


def test_a_list_and_a_round_of_recovery_do_not_grow_with_the_archive(
    client: Client, redis_settings: RedisSettings
) -> None:
    recovery = Recovery(client.records, client.store, make_app(redis_settings), LeaseSettings())

    def cost() -> tuple[int, int]:
        redis = client.records.redis
        redis.config_resetstat()
        client.list()
        recovery.round()
        calls = sum(each["calls"] for each in redis.info("commandstats").values())
        return calls, len(redis.keys(f"{PREFIX}*"))

    first = cost()
    for number in range(60):
        enter(client, f"{number:016x}", days=100, left={})
    archive(client)
    for key in client.records.redis.scan_iter(match=f"{PREFIX}archived:*"):
        client.records.redis.delete(key)
    calls, keys = cost()
    assert calls <= first[0] + 3
    assert keys <= first[1] + 5
