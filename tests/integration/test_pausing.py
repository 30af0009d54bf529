"""Jobs and pools that are held back: for as long as one likes, through restarts of everything."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Rows, Steps, TrialResult

from jobs.errors import InvalidSpec
from scheduler import Client, FailureCause, Job, JobState
from scheduler.keys import JobKeys
from scheduler.messages import waiting
from scheduler.queue import make_app
from scheduler.rebuild import rebuild
from scheduler.recovery import Recovery
from scheduler.rerunning import compare_bits
from scheduler.settings import LeaseSettings, RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.servers import redis_service, running, wait_until

LEASE = 60.0


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    built.store.delete_all(
        [item.key for folder in ("jobs/", "paused/") for item in built.store.under(folder)]
    )
    return built


@pytest.fixture
def recovery(client: Client, redis_settings: RedisSettings) -> Recovery:
    return Recovery(client.records, client.store, make_app(redis_settings), LeaseSettings())


@pytest.fixture
def stage(redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0") as built:
        yield built


def test_a_paused_job_goes_on_after_restarts_of_everything_and_ends_like_an_undisturbed_one(
    store_settings: StoreSettings, tmp_path: Path
) -> None:
    service = redis_service(tmp_path)
    settings = RedisSettings(redis_url=service.url)  # type: ignore[arg-type]
    with running(service, tmp_path / "redis-1.log"), cluster(settings, store_settings, tmp_path) as first:
        first.scheduler()
        first.worker(TRIPTYCH_WARM_RUNNERS="0")
        client = first.client()
        job = client.submit(Steps(steps=60, seed=3, checkpoint_every=1000))
        wait_until(lambda: job.progress is not None and job.progress.step > 5)
        job.pause()
        wait_until(lambda: job.state is JobState.PAUSED)
        reached = job.progress.step if job.progress else 0
        undisturbed = client.submit(Steps(steps=60, seed=3, checkpoint_every=1000))
        expected = undisturbed.wait(60).text  # the slot is free
        assert job.past_attempts()[-1]["cause"] == ""
    with running(service, tmp_path / "redis-2.log"):
        client = Client(settings, store_settings)
        assert client.get(job.id).state is JobState.PAUSED
        client.records.redis.flushall()
        rebuild(client.records, client.store)
        assert client.get(job.id).state is JobState.PAUSED
        second = Cluster(settings, store_settings, tmp_path)
        try:
            second.scheduler()
            second.worker(TRIPTYCH_WARM_RUNNERS="0")
            assert client.submit(Echo()).wait(60).text == "hello"
            assert client.get(job.id).state is JobState.PAUSED
            again = client.get(job.id)
            again.resume()
            result = again.wait(60)
        finally:
            second.stop()
    assert result.text == expected
    assert 5 < result.resumed_from >= reached
    assert not client.store.exists(JobKeys(job.id).paused)


def test_what_has_not_begun_waits_and_keeps_its_reasons_to_wait(client: Client, recovery: Recovery) -> None:
    parent = client.submit(Steps())
    child, queued = client.submit(Echo(), after=[parent]), client.submit(Echo(text="queued"))
    later = client.submit(Echo(text="later"), start_at=client.now() + 0.5)
    assert [job.pause() for job in (child, queued, later)] == [JobState.PAUSED] * 3
    assert sum(waiting(client.records.redis, "cpu")) == 1, "no message makes a worker look at them"
    assert client.records.claim(queued.id, "cpu@a-worker", LEASE) is None
    assert child.resume() is JobState.WAITING
    child.pause()
    assert client.records.claim(parent.id, "cpu@a-worker", LEASE)
    client.records.settle(parent.id, 1, JobState.SUCCEEDED)
    wait_until(lambda: (recovery.round(), client.records.redis.zcard("triptych:delayed") == 0)[1])
    assert {job.state for job in (child, queued, later)} == {JobState.PAUSED}
    assert client.records.counts()[JobState.PAUSED] == 3
    assert [job.resume() for job in (child, queued, later)] == [JobState.QUEUED] * 3
    recovery.round()
    assert sum(waiting(client.records.redis, "cpu")) >= 3


def test_a_paused_job_fails_with_its_parent_and_can_be_cancelled(client: Client) -> None:
    parent = client.submit(Steps())
    child, other = client.submit(Echo(), after=[parent]), client.submit(Echo())
    for job in (child, other):
        job.pause()
    parent.cancel()
    assert (child.state, child.cause) == (JobState.FAILED, FailureCause.PARENT)
    assert other.cancel() is JobState.CANCELLED
    assert other.pause() is JobState.CANCELLED, "what has ended stays so"
    assert not client.store.exists(JobKeys(child.id).result)


def test_a_running_job_whose_worker_dies_before_it_could_pause_is_paused(
    client: Client, recovery: Recovery
) -> None:
    job = client.submit(Steps())
    assert client.records.claim(job.id, "cpu@a-worker", 0.01)
    assert job.pause() is JobState.RUNNING
    wait_until(lambda: (recovery.round(), job.state is JobState.PAUSED)[1])
    assert job.record.failures == 1
    assert job.resume() is JobState.QUEUED


def test_a_job_that_is_resumed_before_it_has_left_its_slot_is_queued_again(client: Client) -> None:
    job = client.submit(Steps())
    assert client.records.claim(job.id, "cpu@a-worker", LEASE)
    job.pause()
    renewal = client.records.renew(job.id, 1, LEASE)
    assert renewal is not None
    assert renewal.wish == "pause"
    assert job.resume() is JobState.RUNNING
    assert client.records.give_back(job.id, 1, charged=False) is JobState.QUEUED


def test_a_divided_job_is_paused_with_its_parts(stage: Cluster) -> None:
    client = stage.client()
    stage.scheduler()
    stage.worker(TRIPTYCH_SLOTS="1")
    job = client.submit(Rows(rows=60, window=3, row_seconds=0.02), parts=6)
    wait_until(lambda: job.record.parts_done >= 1)
    job.pause()
    wait_until(lambda: {part.state for part in job.parts()} == {JobState.SUCCEEDED, JobState.PAUSED})
    assert job.state is JobState.PAUSED
    with pytest.raises(InvalidSpec, match="is a part of job"):
        client.get(job.parts()[0].id).pause()
    done = job.record.parts_done
    assert done < 6
    client.submit(Echo()).wait(60)
    assert job.record.parts_done == done
    assert job.resume() is JobState.WAITING
    whole = client.submit(Rows(rows=60, window=3))
    assert job.wait(60) == whole.wait(60)
    assert compare_bits(job, whole).same


def test_a_paused_pool_gives_its_jobs_back_and_takes_none_from_workers_that_start_later_either(
    stage: Cluster,
) -> None:
    client = stage.client()
    stage.scheduler()
    worker = stage.worker()
    job = client.submit(Steps(steps=60, checkpoint_every=1000))
    wait_until(lambda: job.progress is not None and job.progress.step > 5)
    client.pools.pause("cpu")
    wait_until(lambda: job.state is JobState.QUEUED)
    worker.terminate()
    worker.wait()
    client.records.redis.flushdb()
    rebuild(client.records, client.store)
    assert client.pools.paused() == ["cpu"]
    stage.worker()
    wait_until(lambda: [each.about.draining for each in client.workers.living()] == [True])
    assert client.get(job.id).state is JobState.QUEUED
    client.pools.resume("cpu")
    result = client.get(job.id).wait(60)
    assert result.text.startswith("1830 ")
    assert result.resumed_from > 5
    with pytest.raises(InvalidSpec, match="there is no pool 'any' of workers; the pools are cpu, gpu"):
        client.pools.pause("any")


def test_a_job_that_gets_another_priority_has_another_place(client: Client, recovery: Recovery) -> None:
    first, second = client.submit(Echo()), client.submit(Echo(text="second"))
    assert second.set_priority(1) is JobState.QUEUED
    recovery.round()
    counts = waiting(client.records.redis, "cpu")
    assert (counts[1], counts[5]) == (1, 1)
    assert second.record.priority == 1
    client.records.redis.flushdb()
    rebuild(client.records, client.store)
    assert client.get(second.id).record.priority == 1
    with pytest.raises(InvalidSpec, match="priority is 10"):
        client.get(first.id).set_priority(10)
    client.get(first.id).cancel()
    with pytest.raises(InvalidSpec, match="has ended"):
        client.get(first.id).set_priority(2)


def test_a_job_that_is_run_again_has_the_spec_and_the_data_that_it_had_and_comes_to_the_same(
    stage: Cluster,
) -> None:
    client = stage.client()
    stage.scheduler()
    stage.worker()
    first = client.submit(Steps(steps=5, step_seconds=0.0, seed=4), priority=3)
    first.wait(60)
    again = client.rerun(first.id[:8])
    assert again.id != first.id
    assert (again.record.spec, again.record.priority) == (first.record.spec, 3)
    again.wait(60)
    assert compare_bits(first, again).same
    other = client.submit(Steps(steps=6, step_seconds=0.0, seed=4))
    other.wait(60)
    assert "text" in compare_bits(first, other).differing


def test_files_that_differ_in_dates_alone_are_the_same_bits(client: Client) -> None:
    def job_with(when: int, content: str) -> Job[TrialResult]:
        job = client.submit(Steps())
        client.records.claim(job.id, "cpu@a-worker", LEASE)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(zipfile.ZipInfo("weights", (2026, 1, when, 0, 0, 0)), content)
            archive.writestr("metadata.json", str(when))
        keys = JobKeys(job.id)
        client.store.put(keys.artifact("model.keras"), buffer.getvalue())
        client.store.put(keys.artifact("report.html"), str(when).encode())
        client.store.put_json(keys.result, {"job": job.id, "attempt": 1, "result": {"text": "as one"}})
        client.records.settle(job.id, 1, JobState.SUCCEEDED)
        return job

    first, second, other = job_with(1, "same"), job_with(2, "same"), job_with(1, "not the same")
    assert compare_bits(first, second).compared == ("model.keras",)
    assert compare_bits(first, second).same
    assert compare_bits(first, other).differing == ("model.keras",)
