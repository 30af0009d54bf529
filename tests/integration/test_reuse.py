"""A process that does one job after the other: what it keeps, what it must not, and whom a fault harms."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from triptych_trial.spec import Leave, LeaveResult, Steps

from jobs.spec import Limits
from scheduler import Client, FailureCause, Job, JobFailed
from scheduler.keys import JobKeys
from scheduler.results import Told
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.processes import is_alive
from tests.servers import wait_until

#: What can be put back, so that the process goes on.
UNDONE = ["nothing", "environment", "umask", "folder", "random", "path", "warnings"]
#: What cannot, so that it ends.
ENDING = ["notes", "decimal", "level", "handler", "thread", "child", "file", "socket", "name"]


@pytest.fixture(scope="module")
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    variables = {
        "TRIPTYCH_WARM_RUNNERS": "0",
        "TRIPTYCH_SLOTS": "1",
        "TRIPTYCH_RUNNER_GROWTH": "150MiB",
        "TRIPTYCH_MODEL_MEMORY": "100MiB",
    }
    with cluster(redis_settings, store_settings, folder, **variables) as built:
        built.scheduler()
        built.worker()
        yield built


@pytest.fixture
def client(running: Cluster) -> Client:
    return running.client()


def done(client: Client, spec: Leave) -> LeaveResult:
    return client.submit(spec).wait(60)


def where(client: Client, job: Job[Any]) -> Mapping[str, str]:
    """What a job tells of the place in which it ran, a short one in its result."""
    keys = JobKeys(job.id)
    where: Mapping[str, str] | None = Told.read(client.store, keys).environment
    return where or client.store.get_json(keys.environment(1))


def test_jobs_that_allow_it_share_a_process_and_find_nothing_of_each_other(client: Client) -> None:
    jobs = [client.submit(Leave(leaves=what, says=f"{what} was here")) for what in UNDONE * 2]
    results = [job.wait(60) for job in jobs]
    assert len({result.process for result in results}) == 1
    assert all(result.found == [] for result in results)
    for what, job in zip(UNDONE * 2, jobs, strict=True):
        _, *printed = "".join(job.logs()).splitlines()  # after the line that tells where it runs
        assert printed == [f"says {what} was here"]
        assert job.artifact("said.txt") == f"{what} was here".encode()


def test_a_process_in_which_something_is_left_is_not_used_again(client: Client) -> None:
    jobs = [client.submit(Leave(leaves=what)) for what in (*ENDING, "nothing")]
    results = [job.wait(60) for job in jobs]
    assert len({result.process for result in results}) == len(jobs)
    assert all(result.found == [] for result in results)


def test_kinds_that_do_not_say_so_have_a_process_of_their_own(client: Client) -> None:
    done(client, Leave())
    for spec in (Steps(steps=1), Steps(steps=2)):
        job = client.submit(spec)
        job.wait(60)
        assert "jobs before in this process" not in where(client, job)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_process_whose_job_did_not_succeed_takes_no_other(client: Client, end: str) -> None:
    before = done(client, Leave()).process
    if end == "failed":
        job = client.submit(Leave(leaves="hidden"))
        job.wait(60)
        job = client.submit(Leave(needs_clean=True))
        job.wait(60)
    else:
        job = client.submit(Leave(steps=1000))
        wait_until(lambda: job.progress is not None)
        job.cancel()
        wait_until(lambda: job.state.final)
    wait_until(lambda: not is_alive(before))
    assert done(client, Leave()).process != before


def test_a_job_that_fails_in_a_used_process_is_tried_again_in_its_own(client: Client) -> None:
    """A change that nobody can find: of a class's attribute."""
    assert done(client, Leave(leaves="hidden")).process
    job = client.submit(Leave(needs_clean=True, limits=Limits(attempts=1)))
    job.wait(60)
    assert (job.record.attempt, job.record.failures) == (2, 0)
    told = client.records.attempts(job.id)[0]
    assert told["cause"] == FailureCause.BUG
    assert told["message"].endswith("; tried again in a process that has run no other job")


def test_a_fault_in_the_fiftieth_job_harms_that_job_alone(client: Client) -> None:
    jobs: list[Job[LeaveResult]] = [
        client.submit(Leave(leaves="fault" if number == 49 else "nothing", limits=Limits(attempts=2)))
        for number in range(60)
    ]
    with pytest.raises(JobFailed, match="ended by SIGSEGV"):
        jobs[49].wait(60)
    others = [job for job in jobs if job is not jobs[49]]
    assert all(job.wait(60).found == [] for job in others)
    assert {job.record.attempt for job in others} == {1}


def test_memory_that_grows_with_every_job_is_given_back_soon(client: Client) -> None:
    results = [done(client, Leave(leaves="memory", megabytes=100)) for _ in range(6)]
    processes = [result.process for result in results]
    assert max(processes.count(process) for process in processes) <= 2


def test_a_model_stays_in_memory_until_others_need_the_space(client: Client) -> None:
    def model_of(name: str, megabytes: int) -> str:
        job = client.submit(Leave(asks_for=name, megabytes=megabytes))
        job.wait(60)
        return where(client, job)["model"]

    asked = [("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40), ("b", 40), ("large", 101), ("large", 101)]
    told = [model_of(*each).partition(",")[0] for each in asked]
    assert told == ["loaded", "loaded", "in memory", "loaded", "in memory", *["loaded"] * 3]
