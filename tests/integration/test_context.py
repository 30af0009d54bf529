"""What a running job sees, on real servers: damage is passed over, late writes change nothing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from triptych_drill.spec import DrillResult, Train

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import Progress
from jobs.spec import JobSpec
from scheduler import Client, FailureCause, JobState, NotInstalled
from scheduler.keys import JobKeys
from worker.closing import LostLease
from worker.context import WorkerContext
from worker.runners import Assignment

SPEC = Train(seed=1)
OTHER = Train(seed=2)


@pytest.fixture
def client(new_client: Client) -> Client:
    return new_client


@pytest.fixture
def attempt(client: Client, tmp_path: Path) -> Callable[..., WorkerContext]:
    """Begins the next attempt at a job, as a worker would, after the one before has lost it."""

    def begin(job_id: str, spec: JobSpec[DrillResult] = SPEC) -> WorkerContext:
        client.records.redis.zadd("triptych:leases", {job_id: 0}, xx=True)
        client.records.sweep(10)
        claimed = client.records.claim(job_id, "a worker", 60)
        assert claimed is not None
        folder = tmp_path / f"{job_id}-{claimed.attempt}" / "scratch"
        folder.mkdir(parents=True)
        return WorkerContext(Assignment(job_id, claimed.attempt, spec.to_wire(), {}), folder)

    return begin


def save(context: WorkerContext, *steps: int, spec: JobSpec[DrillResult] = SPEC) -> None:
    for step in steps:
        context.report(Progress(step, 40))
        arrays = {"weights": np.full(100, step, np.float64)}
        context.save_checkpoint(Checkpoint(step, arrays, {"spec": digest_of_spec(spec)}))
    context.flush()


def keys(client: Client, job_id: str) -> list[str]:
    return [item.key for item in client.store.under(JobKeys(job_id).checkpoints)]


def names(client: Client, job_id: str) -> list[str]:
    return [key.rpartition("/")[2].removesuffix(".safetensors").lstrip("0") for key in keys(client, job_id)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("a flipped byte", "does not match its SHA-256"),
        ("half of it", "cannot be read as a checkpoint"),
        ("nothing", "cannot be read as a checkpoint"),
        ("one of another spec", "belongs to another spec"),
    ],
)
def test_a_damaged_newest_checkpoint_is_passed_over_and_the_log_says_so(
    client: Client,
    attempt: Callable[..., WorkerContext],
    caplog: pytest.LogCaptureFixture,
    damage: str,
    said: str,
) -> None:
    job = client.submit(SPEC)
    other = client.submit(OTHER)
    save(attempt(job.id), 5, 10)
    save(attempt(other.id, OTHER), 10, spec=OTHER)
    newest = keys(client, job.id)[-1]
    content = client.store.get(newest)
    broken = {
        "a flipped byte": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        "half of it": content[: len(content) // 2],
        "nothing": b"",
        "one of another spec": client.store.get(keys(client, other.id)[-1]),
    }[damage]
    client.store.put(newest, broken)

    second = attempt(job.id)
    found = second.load_checkpoint()
    assert found is not None
    assert found.step == 5
    assert (found.arrays["weights"] == 5).all()
    assert f"checkpoint {newest} is passed over" in caplog.text
    assert said in caplog.text
    assert [record.message for record in caplog.records if "goes on from step 5" in record.message]
    # The lines of steps that will be done again are gone, those of the others are there.
    save(second, 7)
    assert [line["step"] for line in job.metrics()] == [5, 7]


def test_a_damaged_checkpoint_of_a_later_step_pushes_out_none_that_is_whole(
    client: Client, attempt: Callable[..., WorkerContext]
) -> None:
    job = client.submit(SPEC)
    save(attempt(job.id), 5, 30)
    client.store.put(keys(client, job.id)[-1], b"no checkpoint")
    second = attempt(job.id)
    assert second.load_checkpoint() is not None
    save(second, 10)
    assert names(client, job.id) == ["5-0001", "10-0002"]
    save(second, 15, 20)
    assert names(client, job.id) == ["15-0002", "20-0002"]


def checkpoint(step: int, best: Checkpoint | None = None) -> Checkpoint:
    arrays = {"weights": np.full(100, step, np.float64)}
    return Checkpoint(step, arrays, {"spec": digest_of_spec(SPEC)}, best)


def test_the_best_checkpoint_is_kept_besides_the_newest_and_goes_over_to_the_next_attempt(
    client: Client, attempt: Callable[..., WorkerContext]
) -> None:
    job = client.submit(SPEC)
    first = attempt(job.id)
    for step in (10, 20, 30):
        first.save_checkpoint(checkpoint(step, checkpoint(5)))
    first.flush()
    assert names(client, job.id) == ["5-0001", *(f"{n}-0001.best-000000000005-0001" for n in (20, 30))]
    second = attempt(job.id)
    found = second.load_checkpoint()
    assert found is not None
    assert found.best is not None
    assert (found.best.step, found.best.arrays["weights"][0]) == (5, 5)
    second.save_checkpoint(checkpoint(40, found.best))
    second.flush()
    assert names(client, job.id)[0] == "5-0001"
    assert names(client, job.id)[-1] == "40-0002.best-000000000005-0001"
    for step in (50, 60):
        second.save_checkpoint(checkpoint(step, checkpoint(45)))
    second.flush()
    assert names(client, job.id) == ["45-0002", *(f"{n}-0002.best-000000000045-0002" for n in (50, 60))]


def test_a_damaged_best_checkpoint_is_missed_and_the_log_says_so(
    client: Client, attempt: Callable[..., WorkerContext], caplog: pytest.LogCaptureFixture
) -> None:
    job = client.submit(SPEC)
    first = attempt(job.id)
    first.save_checkpoint(checkpoint(10, checkpoint(5)))
    first.flush()
    best = keys(client, job.id)[0]
    client.store.put(best, b"no checkpoint")
    second = attempt(job.id)
    found = second.load_checkpoint()
    assert found is not None
    assert (found.step, found.best) == (10, None)
    assert f"checkpoint {best} is passed over" in caplog.text
    second.save_checkpoint(checkpoint(20))
    second.flush()
    assert names(client, job.id) == ["10-0001.best-000000000005-0001", "20-0002"]


def test_with_no_checkpoint_left_whole_it_begins_anew_and_says_so(
    client: Client, attempt: Callable[..., WorkerContext], caplog: pytest.LogCaptureFixture
) -> None:
    job = client.submit(SPEC)
    save(attempt(job.id), 5, 10)
    for key in keys(client, job.id):
        client.store.put(key, b"no checkpoint")
    assert attempt(job.id).load_checkpoint() is None
    assert "no checkpoint is usable: begins anew" in caplog.text


def test_a_shard_goes_over_to_the_next_attempt_and_is_gone_once_there_is_a_result(
    client: Client, attempt: Callable[..., WorkerContext], tmp_path: Path
) -> None:
    job = client.submit(SPEC)
    first = attempt(job.id)
    (tmp_path / "rows").write_bytes(b"some rows")
    first.save_shard("0-9.rows", tmp_path / "rows")
    save(first, 9)
    second = attempt(job.id)
    found = second.shard("0-9.rows")
    assert found is not None
    assert found.read_bytes() == b"some rows"
    assert second.shard("9-18.rows") is None
    second.finish(result("the end"))
    assert not list(client.store.under(JobKeys(job.id).shards))
    assert set(job.artifacts()) <= {"report.html"}


def result(state: str) -> DrillResult:
    return DrillResult(steps=40, state_sha256=state, resumed_from=0)


def test_an_attempt_that_lost_the_job_leaves_no_result(
    client: Client, attempt: Callable[..., WorkerContext]
) -> None:
    job = client.submit(SPEC)
    first = attempt(job.id)
    attempt(job.id)
    with pytest.raises(LostLease):
        first.finish(result("of the first"))
    assert not client.store.exists(JobKeys(job.id).result)


def test_a_result_that_is_written_late_does_not_replace_the_one_that_stands(
    client: Client, attempt: Callable[..., WorkerContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.submit(SPEC)
    first = attempt(job.id)
    first.report(Progress(1, 40))
    first.flush()

    def sleep_through_the_lease(_: object) -> None:
        second = attempt(job.id)
        save(second, 1, 2)
        second.finish(result("of the second"))
        client.records.settle(job.id, 2, "SUCCEEDED")

    # It has looked at its lease, found it good, and falls asleep before it writes.
    monkeypatch.setattr(first._closing, "hold", sleep_through_the_lease)
    first.finish(result("of the first"))
    first.flush()
    stored = json.loads(client.store.get(JobKeys(job.id).result))
    assert (stored["attempt"], job.result().state_sha256) == (2, "of the second")
    assert [line["step"] for line in job.metrics()] == [1, 2]


def test_a_report_that_cannot_be_made_costs_the_job_nothing(
    client: Client, attempt: Callable[..., WorkerContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("a fault in the page")

    monkeypatch.setattr("scheduler.report.page.render", broken)
    job = client.submit(SPEC)
    attempt(job.id).finish(result("any"))
    assert client.store.exists(JobKeys(job.id).result)
    assert job.artifacts() == {}


def test_a_report_of_a_success_that_never_came_is_made_anew(
    client: Client, attempt: Callable[..., WorkerContext]
) -> None:
    job = client.submit(SPEC)
    context = attempt(job.id)
    context._closing.store_report(result("any"))
    assert 'content="SUCCEEDED"' in job.artifact("report.html").decode()
    client.records.settle(job.id, 1, JobState.FAILED, FailureCause.STALLED, "no progress")
    assert 'content="FAILED"' in job.report()


def test_a_client_without_jinja2_reads_a_stored_report_and_says_what_making_one_takes(
    client: Client, attempt: Callable[..., WorkerContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    done, waiting = client.submit(SPEC), client.submit(SPEC)
    attempt(done.id).finish(result("any"))
    client.records.settle(done.id, 1, JobState.SUCCEEDED)
    monkeypatch.delitem(sys.modules, "scheduler.report.page")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert 'content="SUCCEEDED"' in done.report()
    with pytest.raises(NotInstalled, match=f"job {waiting.id} is QUEUED.*jinja2.*the extra `report`"):
        waiting.report()
