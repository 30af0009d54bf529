import itertools
import threading

import pytest

from jobs.context import Progress, StopReason
from scheduler.connection import connect
from scheduler.errors import UnknownJob
from scheduler.record import NewJob
from scheduler.records import Records
from scheduler.settings import RedisSettings
from scheduler.states import TRANSITIONS, FailureCause, JobState
from scheduler.tally import Tally
from tests.servers import wait_until

LEASE = 60.0
numbers = itertools.count()


@pytest.fixture
def records(redis_settings: RedisSettings) -> Records:
    redis = connect(redis_settings)
    redis.flushdb()
    return Records(redis)


def new_job(records: Records, *, kind: str = "trial.echo", attempts: int = 5, **fields: object) -> str:
    job_id = f"{next(numbers):016x}"
    spec = f'{{"kind": "{kind}"}}'
    records.create(NewJob(job_id, kind, "cpu", 5, spec, attempts, **fields))  # type: ignore[arg-type]
    return job_id


def claimed(records: Records, **fields: object) -> tuple[str, int]:
    job_id = new_job(records, **fields)  # type: ignore[arg-type]
    job = records.claim(job_id, "a-worker", LEASE)
    assert job is not None
    return job_id, job.attempt


def test_a_new_job_is_queued_and_in_the_outbox_until_its_message_is_sent(records: Records) -> None:
    job_id = new_job(records)
    assert records.get(job_id).state is JobState.QUEUED
    assert records.leftovers() == {"leases": 0, "outbox": 1, "delayed": 0}
    records.published(job_id)
    assert records.leftovers()["outbox"] == 0


def test_entering_a_job_twice_is_harmless(records: Records) -> None:
    job_id = new_job(records)
    records.claim(job_id, "a-worker", LEASE)
    answer = records.create(NewJob(job_id, "trial.echo", "cpu", 5, "{}", 5))
    assert answer == (job_id, JobState.RUNNING)
    assert records.get(job_id).attempt == 1


def test_of_many_workers_that_claim_a_job_at_once_one_gets_it(redis_settings: RedisSettings) -> None:
    records = Records(connect(redis_settings))
    records.redis.flushdb()
    for _ in range(20):
        job_id = new_job(records)
        won = []
        barrier = threading.Barrier(8)

        def claim(worker: str, job_id: str = job_id, won: list[str] = won) -> None:
            barrier.wait()  # noqa: B023
            if records.claim(job_id, worker, LEASE):
                won.append(worker)

        threads = [threading.Thread(target=claim, args=(f"worker-{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert records.get(job_id).worker == won[0]
        assert records.get(job_id).attempt == 1


def test_an_attempt_that_lost_its_lease_can_change_nothing(records: Records) -> None:
    job_id, first = claimed(records)
    records.give_back(job_id, first, charged=True, cause=FailureCause.WORKER_LOST, message="gone")
    second = records.claim(job_id, "another-worker", LEASE)
    assert second is not None
    before = records.redis.hgetall(f"triptych:job:{job_id}")

    assert records.renew(job_id, first, LEASE) is None
    assert records.report(job_id, first, Progress(1, 2)) is False
    assert records.settle(job_id, first, JobState.SUCCEEDED) is False
    assert records.give_back(job_id, first, charged=True) is None
    assert records.redis.hgetall(f"triptych:job:{job_id}") == before


def test_a_worker_that_settles_twice_gets_the_same_answer(records: Records) -> None:
    job_id, attempt = claimed(records)
    assert records.settle(job_id, attempt, JobState.SUCCEEDED)
    assert records.settle(job_id, attempt, JobState.SUCCEEDED)
    assert not records.settle(job_id, attempt, JobState.FAILED, FailureCause.BUG, "too late")
    assert records.get(job_id).state is JobState.SUCCEEDED


def test_a_lease_that_ran_out_requeues_the_job_and_counts_the_attempt(records: Records) -> None:
    job_id = new_job(records)
    records.claim(job_id, "a-worker", 0.05)
    swept = []
    wait_until(lambda: swept.extend(records.sweep(100).lost) or bool(swept))  # type: ignore[func-returns-value]
    record = records.get(job_id)
    assert (record.state, record.attempt, record.failures) == (JobState.QUEUED, 1, 1)
    assert records.attempts(job_id)[0]["cause"] == FailureCause.WORKER_LOST
    assert "a-worker" in records.attempts(job_id)[0]["message"]
    assert records.leftovers() == {"leases": 0, "outbox": 1, "delayed": 0}


def test_a_renewed_lease_does_not_run_out(records: Records) -> None:
    job_id = new_job(records)
    records.claim(job_id, "a-worker", 0.01)
    assert records.renew(job_id, 1, LEASE) is not None
    assert records.sweep(100).lost == []
    assert records.get(job_id).state is JobState.RUNNING


def test_the_last_attempt_that_fails_fails_the_job_with_its_cause(records: Records) -> None:
    job_id, attempt = claimed(records, attempts=2)
    give_back = {"charged": True, "cause": FailureCause.OUT_OF_MEMORY, "message": "no memory"}
    assert records.give_back(job_id, attempt, **give_back) is JobState.QUEUED  # type: ignore[arg-type]
    again = records.claim(job_id, "a-worker", LEASE)
    assert again is not None
    assert records.give_back(job_id, again.attempt, **give_back) is JobState.FAILED  # type: ignore[arg-type]
    record = records.get(job_id)
    assert record.cause is FailureCause.OUT_OF_MEMORY
    assert "no memory" in record.message
    assert sum(records.leftovers().values()) == 0


def fail(records: Records, job_id: str, *saved: int) -> JobState | None:
    """One more attempt, which saves checkpoints of these steps and fails."""
    again = records.claim(job_id, "a-worker", LEASE)
    assert again is not None
    for step in saved:
        assert records.saved(job_id, again.attempt, step)
    return records.give_back(job_id, again.attempt, charged=True, cause=FailureCause.WORKER_LOST)


def test_attempts_that_get_further_are_not_counted_and_those_that_do_not_are(records: Records) -> None:
    job_id = new_job(records, attempts=2)
    for attempt in range(1, 7):
        assert fail(records, job_id, 10 * attempt, 10 * attempt + 5) is JobState.QUEUED
        assert (records.get(job_id).attempt, records.get(job_id).failures) == (attempt, 1)
    # Steps that an earlier attempt has saved already are no progress.
    assert fail(records, job_id, 40, 65) is JobState.FAILED
    assert records.get(job_id).attempt == 7


def test_an_attempt_that_lost_its_lease_forgives_nothing(records: Records) -> None:
    job_id, first = claimed(records)
    records.give_back(job_id, first, charged=True, cause=FailureCause.WORKER_LOST)
    records.claim(job_id, "another-worker", LEASE)
    assert not records.saved(job_id, first, 100)
    assert records.get(job_id).failures == 1


def test_draining_costs_no_attempt(records: Records) -> None:
    job_id, attempt = claimed(records, attempts=1)
    for _ in range(3):
        assert records.give_back(job_id, attempt, charged=False, message="drained") is JobState.QUEUED
        again = records.claim(job_id, "a-worker", LEASE)
        assert again is not None
        attempt = again.attempt
    assert records.get(job_id).failures == 0
    assert attempt == 4


def test_a_retry_with_a_delay_waits_for_its_time(records: Records) -> None:
    job_id, attempt = claimed(records)
    state = records.give_back(job_id, attempt, charged=True, cause=FailureCause.STORAGE, delay=0.2)
    assert state is JobState.WAITING
    assert records.claim(job_id, "a-worker", LEASE) is None
    wait_until(lambda: list(records.sweep(100).unpublished) == [job_id])
    assert records.get(job_id).state is JobState.QUEUED


def test_a_job_with_a_start_time_waits_for_it(records: Records) -> None:
    begin = float(records.redis.time()[0])
    job_id = new_job(records, start_at=begin + 2)
    assert records.get(job_id).state is JobState.WAITING
    assert records.sweep(100).unpublished == []
    wait_until(lambda: list(records.sweep(100).unpublished) == [job_id])


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_that_has_not_begun_is_cancelled_at_once(records: Records, begun: bool) -> None:
    job_id = new_job(records)
    if begun:
        records.claim(job_id, "a-worker", LEASE)
        assert records.cancel(job_id) is JobState.RUNNING
        renewal = records.renew(job_id, 1, LEASE)
        assert renewal is not None
        assert renewal.wish is StopReason.CANCEL
        # Its worker dies before it can obey: the job is not run again.
        records.give_back(job_id, 1, charged=True, cause=FailureCause.WORKER_LOST)
    else:
        assert records.cancel(job_id) is JobState.CANCELLED
    assert records.get(job_id).state is JobState.CANCELLED
    assert records.claim(job_id, "a-worker", LEASE) is None
    assert sum(records.leftovers().values()) == 0


def test_a_child_waits_for_its_parents_and_is_released_by_the_last(records: Records) -> None:
    first, first_attempt = claimed(records)
    second, second_attempt = claimed(records)
    child = new_job(records, parents=[first, second])
    assert records.get(child).state is JobState.WAITING
    records.settle(first, first_attempt, JobState.SUCCEEDED)
    assert records.get(child).state is JobState.WAITING
    records.settle(second, second_attempt, JobState.SUCCEEDED)
    assert records.get(child).state is JobState.QUEUED
    assert list(records.sweep(100).unpublished) == [child]


@pytest.mark.parametrize("ending", [JobState.FAILED, JobState.CANCELLED])
def test_a_parent_that_does_not_succeed_fails_its_children_and_theirs(
    records: Records, ending: JobState
) -> None:
    parent, attempt = claimed(records)
    child = new_job(records, parents=[parent])
    grandchild = new_job(records, parents=[child])
    records.settle(parent, attempt, ending)
    for job_id, culprit in ((child, parent), (grandchild, child)):
        record = records.get(job_id)
        assert (record.state, record.cause) == (JobState.FAILED, FailureCause.PARENT)
        assert culprit in record.message
    late = new_job(records, parents=[parent])
    assert records.get(late).cause is FailureCause.PARENT


def test_every_transition_outside_of_the_table_is_refused(records: Records) -> None:
    for state in JobState:
        if not state.final:
            assert TRANSITIONS[state]
    job_id, attempt = claimed(records)
    records.settle(job_id, attempt, JobState.CANCELLED)
    before = records.get(job_id)
    records.cancel(job_id)
    assert records.claim(job_id, "a-worker", LEASE) is None
    assert records.give_back(job_id, attempt, charged=False) is None
    assert records.get(job_id) == before


def test_listings_show_the_newest_first_by_state_and_kind(records: Records) -> None:
    echoes = [new_job(records) for _ in range(3)]
    steps = [new_job(records, kind="trial.steps") for _ in range(3)]
    records.claim(echoes[1], "a-worker", LEASE)
    records.claim(steps[1], "a-worker", LEASE)

    def ids(**selection: object) -> list[str]:
        return [record.id for record in records.newest(**selection)]  # type: ignore[arg-type]

    assert ids() == [*reversed(steps), *reversed(echoes)]
    assert ids(limit=2, offset=1) == [steps[1], steps[0]]
    assert ids(kind="trial.echo") == list(reversed(echoes))
    assert ids(state=JobState.RUNNING) == [steps[1], echoes[1]]
    assert ids(state=JobState.QUEUED, kind="trial.steps") == [steps[2], steps[0]]
    assert ids(state=JobState.QUEUED, kind="trial.steps", limit=1, offset=1) == [steps[0]]
    assert records.counts()[JobState.QUEUED] == 4


def test_a_job_is_found_by_the_beginning_of_its_id(records: Records) -> None:
    for job_id in ("abc1000000000000", "abc2000000000000", "abd0000000000000"):
        records.create(NewJob(job_id, "trial.echo", "cpu", 5, "{}", 5))
    assert records.find("abd") == "abd0000000000000"
    assert records.find("abc1000000000000") == "abc1000000000000"
    with pytest.raises(UnknownJob, match="several jobs begin with 'abc'"):
        records.find("abc")
    with pytest.raises(UnknownJob, match="no job 'x'"):
        records.find("x")
    with pytest.raises(UnknownJob, match="triptych jobs"):
        records.get("x")


def test_progress_is_an_event_that_a_watcher_sees(records: Records) -> None:
    job_id, attempt = claimed(records)
    seen = records.streams.newest_event(job_id)
    records.report(job_id, attempt, Progress(3, 20, "epoch 3/20", {"d_loss": 0.41}, 120))
    assert records.get(job_id).progress == Progress(3, 20, "epoch 3/20", {"d_loss": 0.41}, 120)
    events = records.streams.events(job_id, seen)
    assert [list(fields) for _, fields in events] == [["progress"]]
    records.settle(job_id, attempt, JobState.SUCCEEDED)
    assert [fields for _, fields in records.streams.events(job_id, events[-1][0])] == [{"state": "SUCCEEDED"}]


def test_a_wish_to_preempt_is_for_one_attempt(records: Records) -> None:
    job_id, attempt = claimed(records)
    assert records.preempt(job_id, attempt)
    assert not records.preempt(job_id, attempt)
    renewal = records.renew(job_id, attempt, LEASE)
    assert renewal is not None
    assert renewal.wish is StopReason.PREEMPT
    records.give_back(job_id, attempt, charged=False)
    again = records.claim(job_id, "a-worker", LEASE)
    assert again is not None
    assert not again.preempted
    renewal = records.renew(job_id, again.attempt, LEASE)
    assert renewal is not None
    assert renewal.wish is None


def test_what_happens_is_counted_once_in_the_step_that_it_happens_in(records: Records) -> None:
    done, attempt = claimed(records)
    records.report(done, attempt, Progress(30, 100))
    records.report(done, attempt, Progress(100, 100))
    for _ in range(2):  # a lost answer makes the caller ask again
        records.settle(done, attempt, JobState.SUCCEEDED)
    bad, attempt = claimed(records)
    records.settle(bad, attempt, JobState.FAILED, FailureCause.BUG, "a fault")
    tally = Tally(records.redis).counted()
    assert tally["ended|trial.echo|SUCCEEDED|"] == 1
    assert tally["ended|trial.echo|FAILED|BUG"] == 1
    assert tally["failed|trial.echo|BUG"] == 1
    assert tally["steps|trial.echo"] == 100
    assert (
        sum(count for name, count in tally.items() if name.startswith("wait|cpu|") and "sum" not in name) == 2
    )


def test_recovery_is_counted_from_the_last_sign_of_the_lost_attempt_to_the_next_progress(
    records: Records,
) -> None:
    job_id, _ = claimed(records)
    seconds, _ = records.redis.time()
    # Its lease of 60 s ran out 3 s ago, so it was last heard of 63 s ago.
    records.redis.zadd("triptych:leases", {job_id: seconds - 3}, xx=True)
    records.sweep(10)
    assert not [name for name in Tally(records.redis).counted() if name.startswith("recovery|")]
    again = records.claim(job_id, "another", LEASE)
    assert again is not None
    for step in (1, 2):
        records.report(job_id, again.attempt, Progress(step, 100))
    tally = Tally(records.redis).counted()
    assert tally["failed|trial.echo|WORKER_LOST"] == 1
    assert tally["recovery|WORKER_LOST|300"] == 1
    assert 62 < tally["recovery|WORKER_LOST|sum"] < 300


def test_a_job_that_is_handed_over_is_no_failure(records: Records) -> None:
    job_id, attempt = claimed(records)
    records.give_back(job_id, attempt, charged=False, message="its worker was drained")
    assert not [name for name in Tally(records.redis).counted() if name.startswith(("failed|", "recovery|"))]
