"""Many jobs at once: each is finished, each once, and nothing is left over."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from triptych_trial.spec import Echo

from scheduler import Client, Job, JobState
from scheduler.keys import JobKeys
from scheduler.pools import POOLS, PRIORITIES
from scheduler.results import Told


def test_200_jobs_submitted_at_once_from_8_threads_all_finish_each_once(client: Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs: list[Job[object]] = list(
            threads.map(lambda number: client.submit(Echo(text=f"job {number}")), range(200))  # type: ignore[arg-type]
        )
    assert len({job.id for job in jobs}) == 200
    for number, job in enumerate(jobs):
        assert job.wait(240).text == f"job {number}"  # type: ignore[attr-defined]
    records = [job.record for job in jobs]
    assert Counter((record.state, record.attempt, record.failures) for record in records) == {
        (JobState.SUCCEEDED, 1, 0): 200
    }
    for job in jobs:
        assert Told.read(client.store, JobKeys(job.id)).log == "".join(job.logs())
    assert client.records.leftovers() == {"leases": 0, "outbox": 0, "delayed": 0}
    redis = client.records.redis
    assert redis.hlen("unacked") == 0
    for pool in POOLS:
        for priority in PRIORITIES:
            assert redis.llen(f"{pool}\x06\x16{priority}" if priority else pool) == 0
