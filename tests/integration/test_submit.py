"""Submitting: retried, repeated, delayed, dependent, urgent; with no worker up."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from triptych_trial.spec import Echo, Fail, Steps

from jobs.errors import InvalidSpec
from scheduler import Client, FailureCause, JobState
from scheduler.keys import JobKeys
from scheduler.messages import LostMessages, list_of, waiting
from scheduler.queue import make_app
from scheduler.recovery import Recovery
from scheduler.settings import LeaseSettings, RedisSettings, StoreSettings

LEASE = 60.0


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    return built


@pytest.fixture
def recovery(client: Client, redis_settings: RedisSettings) -> Recovery:
    return Recovery(client.records, client.store, make_app(redis_settings), LeaseSettings())


def test_an_idempotency_key_makes_a_retried_submit_safe(client: Client) -> None:
    first = client.submit(Echo(), key="monday's run")
    assert client.submit(Echo(), key="monday's run").id == first.id
    assert client.submit(Echo(), key="tuesday's run").id != first.id
    with pytest.raises(InvalidSpec, match=f"used for job {first.id}, whose spec is another"):
        client.submit(Echo(text="something else"), key="monday's run")
    assert len(client.list()) == 2


def test_many_who_submit_with_one_key_at_once_get_one_job(client: Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda _: client.submit(Echo(), key="all of us"), range(16)))
    assert len({job.id for job in jobs}) == 1
    assert len(client.list()) == 1


def test_a_submit_that_died_between_store_and_record_is_completed_by_its_key(client: Client) -> None:
    died = client.records.id_of_key("a key", "0123456789abcdef")
    job = client.submit(Echo(), key="a key")
    assert job.id == died
    assert job.state is JobState.QUEUED


def test_reuse_returns_the_job_that_comes_to_the_same(client: Client) -> None:
    first = client.submit(Echo(text="once"))
    assert client.submit(Echo(text="once"), reuse=True).id == first.id
    assert client.submit(Echo(text="once")).id != first.id  # off by default
    assert client.submit(Echo(text="twice"), reuse=True).id != first.id
    assert client.submit(Echo(text="once", seed=1), reuse=True).id != first.id


def test_reuse_does_not_return_a_job_that_failed_or_was_cancelled(client: Client) -> None:
    first = client.submit(Fail())
    record = client.records.claim(first.id, "a-worker", LEASE)
    assert record is not None
    client.records.settle(first.id, 1, JobState.FAILED, FailureCause.BUG, "a fault")
    second = client.submit(Fail(), reuse=True)
    assert second.id != first.id
    second.cancel()
    assert client.submit(Fail(), reuse=True).id not in (first.id, second.id)


def test_many_who_reuse_at_once_get_one_job_and_leave_no_other_in_the_store(client: Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda _: client.submit(Echo(text="together"), reuse=True), range(16)))
    assert len({job.id for job in jobs}) == 1
    stored = {
        item.key.split("/")[1] for item in client.store.under("jobs/") if item.key.endswith("spec.json")
    }
    assert stored & {job.id for job in client.list()} == {jobs[0].id}


def test_messages_come_in_the_exact_order_of_priority_and_first_come_first_served(client: Client) -> None:
    submitted = [
        (priority, client.submit(Echo(), priority=priority).id) for priority in (5, 0, 9, 3, 0, 5, 1)
    ]
    taken = []
    with client.app.connection() as connection, connection.SimpleQueue("cpu") as queue:
        # The very transport and settings of a worker.
        queue.consumer.qos(prefetch_count=1)
        while len(taken) < len(submitted):
            message = queue.get(timeout=10)
            taken.append(message.headers["id"])
            message.ack()
    assert taken == [job_id for _, job_id in sorted(submitted, key=lambda job: job[0])]


@pytest.mark.parametrize("start_at", [1e18, float("inf"), float("nan")])
def test_a_start_that_no_clock_will_show_is_refused(client: Client, start_at: float) -> None:
    with pytest.raises(InvalidSpec, match="the latest start is 10 years from now"):
        client.submit(Echo(), start_at=start_at)


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_outside_of_the_ten_is_refused(client: Client, priority: int) -> None:
    with pytest.raises(InvalidSpec, match=rf"priority is {priority}; allowed are 0 \(most urgent\) to 9"):
        client.submit(Echo(), priority=priority)


def test_a_job_after_others_waits_for_them(client: Client) -> None:
    first = client.submit(Echo())
    second = client.submit(Echo(), after=[first])
    third = client.submit(Echo(), after=[second.id[:6], first])
    assert (second.state, third.state) == (JobState.WAITING, JobState.WAITING)
    first.cancel()
    assert (second.cause, third.cause) == (FailureCause.PARENT, FailureCause.PARENT)
    # A job can name only those that exist before it, so a cycle cannot be built.
    with pytest.raises(InvalidSpec, match="left no model"):
        client.submit(Echo(after_model=first.id))


def test_a_job_whose_message_was_lost_gets_another(client: Client, recovery: Recovery) -> None:
    lost, kept = client.submit(Echo()), client.submit(Echo(), priority=9)
    redis = client.records.redis
    redis.delete(list_of("cpu", 5))
    # Not an empty queue, where the case would be plain.
    assert waiting(redis, "cpu")[9] == 1
    search = LostMessages(client.records, 0.0)
    found = [job_id for _ in range(30) for job_id in search.step()]
    assert set(found) == {lost.id}
    assert kept.state is JobState.QUEUED


def test_queued_jobs_with_their_messages_are_left_alone(client: Client) -> None:
    for _ in range(20):
        client.submit(Echo())
    search = LostMessages(client.records, 0.0)
    assert [job_id for _ in range(60) for job_id in search.step()] == []


def test_an_urgent_job_takes_the_slot_of_the_least_urgent_that_began_last(
    client: Client, recovery: Recovery
) -> None:
    running = {priority: client.submit(Steps(), priority=priority) for priority in (2, 7, 8)}
    running[88] = client.submit(Steps(seed=1), priority=8)
    for job in running.values():
        assert client.records.claim(job.id, "cpu@a-worker", LEASE)
    client.records.redis.delete(*(list_of("cpu", priority) for priority in range(10)))
    recovery.round()
    client.submit(Echo(), priority=4)
    recovery.round()
    assert not any(job.record.preempted for job in running.values()), "it may still find a free slot"
    recovery.round()
    assert [priority for priority, job in running.items() if job.record.preempted] == [88]
    recovery.round()
    assert [priority for priority, job in running.items() if job.record.preempted] == [88], "one is enough"


def test_a_job_takes_no_slot_from_one_as_urgent(client: Client, recovery: Recovery) -> None:
    job = client.submit(Steps(), priority=5)
    assert client.records.claim(job.id, "cpu@a-worker", LEASE)
    client.records.redis.delete(list_of("cpu", 5))
    client.submit(Echo(), priority=5)
    for _ in range(4):
        recovery.round()
    assert not job.record.preempted


def test_a_cancelled_job_is_noted_in_the_store(client: Client) -> None:
    job = client.submit(Echo())
    job.cancel()
    assert client.store.get_json(JobKeys(job.id).ending)["state"] == "CANCELLED"
