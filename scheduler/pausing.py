"""Holding jobs and pools back for as long as a person likes, and changing a job's place in the queue."""

from jobs.errors import InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownJob
from scheduler.keys import JobKeys, paused_pool_key
from scheduler.messages import withdraw
from scheduler.parts import Parts
from scheduler.pools import checked_priority
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.scripts import Scripts
from scheduler.states import JobState
from scheduler.workers import Workers

#: The pools that workers serve.
_SERVED = ("cpu", "gpu")


class Pausing:
    """Pauses jobs, with their parts. What is paused is noted in the store, too, for `triptych recover`."""

    def __init__(self, records: Records, store: ArtifactStore) -> None:
        self._records, self._store = records, store
        self._run = Scripts(records.redis).run

    def pause(self, job: JobRecord) -> JobState:
        """Holds back a job that has not begun, and asks a running one to leave its slot."""
        if job.state.final:
            return job.state
        key = JobKeys(job.id).paused
        self._store.put_json(key, {"job": job.id})
        state = self._state("pause", job.id)
        if state.final:
            self._store.delete(key)
        # Else a worker with a free slot takes them for nothing, and they count as jobs that wait for one.
        ids = [job.id, *Parts(self._records).ids(job.id)]
        withdraw(self._records.redis, job.pool, job.priority, ids)
        return state

    def resume(self, job: JobRecord) -> JobState:
        """Lets a job go on, or wait for what it waited for."""
        self._store.delete(JobKeys(job.id).paused)
        return self._state("resume", job.id)

    def _state(self, script: str, job_id: str) -> JobState:
        state = self._run(script, job_id)
        if not state:
            raise UnknownJob(f"there is no job {job_id!r}; `triptych jobs` lists them")
        return JobState(state)


def set_priority(records: Records, store: ArtifactStore, job: JobRecord, priority: int) -> JobState:
    """Gives a job and its parts another priority; the scheduler sends messages in place of those withdrawn.

    Raises:
        InvalidSpec: there is no such priority, or the job has ended.
    """
    checked_priority(priority)
    if job.state.final:
        raise InvalidSpec(f"job {job.id} has ended ({job.state}), and has no place in the queue")
    key = JobKeys(job.id).spec
    store.put_json(key, store.get_json(key) | {"priority": priority})
    answer = Scripts(records.redis).run("priority", job.id, priority)
    if not answer:
        raise UnknownJob(f"there is no job {job.id!r}; `triptych jobs` lists them")
    state, moved = answer
    if priority != job.priority:
        withdraw(records.redis, job.pool, job.priority, moved)
    return JobState(state)


class Pools:
    """The pools of workers, all of whose workers can be paused at once."""

    def __init__(self, workers: Workers, store: ArtifactStore) -> None:
        self._workers, self._store = workers, store

    def pause(self, pool: str) -> None:
        """Makes all workers of a pool, those that start later too, give their jobs back and take none.

        The jobs save their state at their next step and are queued again; they lose no step.

        Raises:
            InvalidSpec: there is no such pool.
        """
        _check(pool)
        self._store.put_json(paused_pool_key(pool), {"pool": pool})
        self._workers.pause(pool)

    def resume(self, pool: str) -> None:
        """Lets the workers of a pool take jobs again.

        Raises:
            InvalidSpec: there is no such pool.
        """
        _check(pool)
        self._store.delete(paused_pool_key(pool))
        self._workers.resume(pool)

    def paused(self) -> list[str]:
        """The pools that are paused."""
        return self._workers.paused()


def _check(pool: str) -> None:
    if pool not in _SERVED:
        raise InvalidSpec(f"there is no pool {pool!r} of workers; the pools are {', '.join(_SERVED)}")
