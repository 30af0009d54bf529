"""One job on many workers: divided, followed as one, cancelled as one, and whole whatever dies meanwhile."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Rows

from jobs.errors import InvalidSpec
from jobs.local import run_locally
from scheduler import FailureCause, Job, JobFailed, JobState
from scheduler.keys import JobKeys
from scheduler.messages import waiting
from scheduler.queue import shown
from scheduler.rebuild import rebuild
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.servers import wait_until


@pytest.fixture
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> Iterator[Cluster]:
    with cluster(
        redis_settings,
        store_settings,
        tmp_path,
        TRIPTYCH_WARM_RUNNERS="0",
        TRIPTYCH_LEASE_SECONDS="4",
        TRIPTYCH_STOP_SECONDS="2",
        TRIPTYCH_SLOTS="2",
    ) as built:
        built.scheduler()
        yield built


def alone(spec: Rows, folder: Path) -> tuple[str, bytes]:
    """What the undivided job comes to."""
    result = run_locally(spec, folder)
    return result.text, (folder / "artifacts/rows.bin").read_bytes()


def came_to(job: Job[object]) -> tuple[str, bytes]:
    result = job.wait(120)
    return result.text, job.artifact("rows.bin")  # type: ignore[attr-defined]


def states(job: Job[object]) -> list[JobState]:
    return [part.state for part in job.parts()]


def test_a_divided_job_is_one_job_to_whoever_follows_it(running: Cluster, tmp_path: Path) -> None:
    running.worker()
    client = running.client()
    spec = Rows(rows=20, window=3)
    job = client.submit(spec, parts=3)
    seen = [record.progress for record in job.updates(120)]
    assert came_to(job) == alone(spec, tmp_path / "alone")
    assert [each.id for each in client.list()] == [job.id]
    assert client.list(JobState.SUCCEEDED)[0].id == job.id
    assert [(part.id, part.state) for part in job.parts()] == [
        (f"{job.id}.part000{number}", JobState.SUCCEEDED) for number in (1, 2, 3)
    ]
    assert seen[-1] is not None
    assert (seen[-1].step, seen[-1].total) == (20, 20)
    assert seen[-1].stage == "row 20/20, part 3/3"
    logs = "".join(job.logs())
    for said in ("rows 0 to 6", "rows 6 to 12", "rows 12 to 20", "joins 3", "part 2 of 3"):
        assert said in logs
    report = job.report()
    assert all(part.worker and part.worker in report for part in job.parts())
    part = client.get(job.parts()[1].id)
    assert part.spec == spec
    assert part.record.part is not None
    assert (part.record.part.first, part.record.part.end) == (6, 12)
    with pytest.raises(InvalidSpec, match=f"is a part of job {job.id}"):
        part.cancel()
    assert shown(part.record) == f"part 2 of 3 of {job.id}, rows 6 to 12"  # in Flower
    # The pieces are gone, now that there is a whole.
    assert not [item for item in client.store.under(JobKeys(job.id).parts) if "/shards/" in item.key]
    assert client.records.leftovers() == {"leases": 0, "outbox": 0, "delayed": 0}


def test_auto_takes_the_slots_of_the_live_workers_and_a_small_job_stays_whole(
    running: Cluster, tmp_path: Path
) -> None:
    running.worker()
    client = running.client()
    wait_until(lambda: bool(client.workers.living()))
    many, few = Rows(rows=20, window=1), Rows(rows=2, window=3)
    jobs = [client.submit(many, parts="auto"), client.submit(few, parts="auto"), client.submit(few, parts=1)]
    assert came_to(jobs[0]) == alone(many, tmp_path / "many")
    assert len(jobs[0].parts()) == 6
    for job in jobs[1:]:
        assert came_to(job) == alone(few, tmp_path / job.id)
        assert job.parts() == []


def test_what_cannot_be_divided_is_refused(running: Cluster) -> None:
    with pytest.raises(InvalidSpec, match=r"trial\.echo cannot be divided into parts"):
        running.client().submit(Echo(), parts=2)
    with pytest.raises(InvalidSpec, match="parts is 0; allowed are"):
        running.client().submit(Rows(), parts=0)


def test_a_divided_job_is_whole_though_runners_and_workers_are_killed(
    running: Cluster, tmp_path: Path
) -> None:
    """Each part kills its first runner after its first window, and one worker is killed, another drained."""
    first = running.worker()
    client = running.client()
    spec = Rows(rows=24, window=2, row_seconds=0.15, killed=True)
    job = client.submit(spec, parts=4, priority=3)
    wait_until(lambda: JobState.RUNNING in states(job))
    first.send_signal(signal.SIGKILL)
    second = running.worker()
    wait_until(lambda: JobState.RUNNING in states(job), 60)
    second.send_signal(signal.SIGTERM)
    running.worker()
    # A more urgent job takes a slot meanwhile.
    urgent = client.submit(Echo(), priority=0)
    urgent.wait(120)
    assert came_to(job) == alone(spec.model_copy(update={"killed": False}), tmp_path / "alone")
    assert [part.priority for part in job.parts()] == [3] * 4
    assert max(part.attempt for part in job.parts()) > 1


def test_a_part_that_fails_for_good_fails_the_whole_and_the_others_are_not_computed_again(
    running: Cluster, tmp_path: Path
) -> None:
    running.worker()
    client = running.client()
    mended = tmp_path / "mended"
    spec = Rows(rows=20, window=2, bad_part=5, mended_by=str(mended))
    job = client.submit(spec, parts=5)
    child = client.submit(Echo(), after=[job])
    with pytest.raises(JobFailed, match="BAD_INPUT: part 5 of 5: this part cannot be done"):
        job.wait(120)
    assert job.cause is FailureCause.BAD_INPUT
    with pytest.raises(JobFailed, match="PARENT"):
        child.wait(60)
    wait_until(lambda: all(state.final for state in states(job)))
    done = [part.id for part in job.parts() if part.state is JobState.SUCCEEDED]
    assert done
    wait_until(lambda: client.store.exists(JobKeys(job.id).ending))
    mended.touch()
    again = client.submit(spec, parts=5, reuse=True)
    assert again.id != job.id
    assert came_to(again) == alone(spec, tmp_path / "alone")
    assert set(done) < {part.id for part in again.parts()}
    assert f"{again.id}.part0005" in {part.id for part in again.parts()}


def test_cancelling_a_job_with_a_thousand_parts_ends_it_at_once_and_none_begins(running: Cluster) -> None:
    worker = running.worker()
    client = running.client()
    job = client.submit(Rows(rows=1000, window=1, row_seconds=600), parts=1000)
    # Counted, rather than read: reading a thousand records again and again keeps two cores busy.
    wait_until(lambda: job.record.parts > 0 and client.records.counts()[JobState.RUNNING] > 0, 120)
    assert job.cancel() is JobState.CANCELLED
    begun = sum(part.attempt for part in job.parts())
    assert begun <= 2
    assert states(job).count(JobState.CANCELLED) >= 1000 - begun
    wait_until(lambda: client.records.counts()[JobState.CANCELLED] == 1001, 60)
    # Their messages go with them, and the worker goes on with what is asked for next.
    wait_until(lambda: sum(waiting(client.records.redis, "cpu")) == 0, 20)
    client.submit(Echo()).wait(60)
    assert worker.poll() is None
    assert sum(part.attempt for part in job.parts()) == begun


def test_a_divided_job_goes_on_after_redis_has_lost_its_data(running: Cluster, tmp_path: Path) -> None:
    worker = running.worker()
    client = running.client()
    spec = Rows(rows=24, window=2, row_seconds=0.2)
    job = client.submit(spec, parts=6)
    wait_until(lambda: states(job).count(JobState.SUCCEEDED) >= 2, 60)
    worker.send_signal(signal.SIGKILL)
    done = {part.id for part in job.parts() if part.state is JobState.SUCCEEDED}
    written = {job_id: client.store.get(JobKeys(job_id).result) for job_id in done}
    client.records.redis.flushdb()
    assert rebuild(client.records, client.store).jobs[JobState.QUEUED] >= 1
    running.worker()
    assert came_to(job) == alone(spec, tmp_path / "alone")
    assert {job_id: client.store.get(JobKeys(job_id).result) for job_id in done} == written
    assert json.loads(client.store.get(JobKeys(job.id).spec))["division"] == {"parts": 6, "reuse": False}


def test_a_divided_job_waits_for_its_parents_and_its_time(running: Cluster, tmp_path: Path) -> None:
    running.worker()
    client = running.client()
    parent = client.submit(Rows(rows=4, window=1), parts=2)
    spec = Rows(rows=6, window=1, seed=1)
    job = client.submit(spec, parts=3, after=[parent], start_at=time.time() + 2)
    assert job.state is JobState.WAITING
    assert came_to(job) == alone(spec, tmp_path / "alone")
    assert job.record.started is not None
    assert parent.record.finished is not None
    assert job.record.started > parent.record.finished
