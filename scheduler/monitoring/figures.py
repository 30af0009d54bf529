"""What is measured: how things stand, from the records, and what has been counted, from the tally.

The tally is kept by the scripts that change the records (`lua/prelude.lua`), in the same step. So it counts
each thing once, whoever dies, and whether or not anybody looks.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import cast

from jobs import catalog
from scheduler.messages import waiting
from scheduler.monitoring.exposition import Family
from scheduler.queue import POOLS, PRIORITIES
from scheduler.records import BOUNDS, PREFIX, Records
from scheduler.states import JobState
from scheduler.workers import LiveWorker, Workers


def figures(records: Records) -> list[Family]:
    """Everything, now.

    Raises:
        RedisError: Redis does not answer.
    """
    return [*_jobs(records), *_queues(records), *_workers(records), *_counted(records.tally())]


def _jobs(records: Records) -> list[Family]:
    jobs = Family("triptych_jobs", "gauge", "Jobs in each state.")
    for state, count in records.counts().items():
        jobs.add(count, state=state)
    running = Family("triptych_jobs_running", "gauge", "Running jobs of each kind.")
    kinds = sorted(catalog.kinds())
    pipeline = records.redis.pipeline(transaction=False)
    for kind in kinds:
        pipeline.zcard(f"{PREFIX}state:{JobState.RUNNING}:{kind}")
    for kind, count in zip(kinds, cast("list[int]", pipeline.execute()), strict=True):
        running.add(count, kind=kind)
    return [jobs, running]


def _queues(records: Records) -> list[Family]:
    depth = Family("triptych_queue_depth", "gauge", "Jobs that wait for a slot, by pool and priority.")
    for pool in POOLS:
        for priority, count in zip(PRIORITIES, waiting(records.redis, pool), strict=True):
            depth.add(count, pool=pool, priority=str(priority))
    oldest = Family("triptych_queue_oldest_seconds", "gauge", "How long the oldest queued job has waited.")
    oldest.add(records.longest_wait())
    pending = Family("triptych_pending", "gauge", "Leases held, messages to publish, jobs put off.")
    for name, count in records.leftovers().items():
        pending.add(count, what=name)
    return [depth, oldest, pending]


def _workers(records: Records) -> list[Family]:
    living = Workers(records.redis).living()
    busy = Counter(job.worker for job in records.newest(JobState.RUNNING, limit=10_000))
    workers = Family("triptych_workers", "gauge", "Live workers, by pool and whether they are drained.")
    for (pool, draining), count in Counter((w.about.pool, w.about.draining) for w in living).items():
        workers.add(count, pool=pool, draining=str(draining).lower())
    slots = Family("triptych_slots", "gauge", "Slots of live workers, by pool.")
    taken = Family("triptych_slots_busy", "gauge", "Slots in which a job runs, by pool.")
    for pool in sorted({worker.about.pool for worker in living}):
        of_pool = [worker for worker in living if worker.about.pool == pool]
        slots.add(sum(worker.about.slots for worker in of_pool), pool=pool)
        taken.add(sum(busy[worker.name] for worker in of_pool), pool=pool)
    return [workers, slots, taken, _memory(living)]


def _memory(living: Iterable[LiveWorker]) -> Family:
    memory = Family("triptych_worker_memory_bytes", "gauge", "Resident memory of a worker and its jobs.")
    for worker in living:
        if worker.about.memory is not None:
            memory.add(worker.about.memory, worker=worker.name)
    return memory


def _counted(tally: dict[str, float]) -> list[Family]:
    ended = Family("triptych_jobs_ended_total", "counter", "Jobs that ended, by kind, state and cause.")
    failed = Family("triptych_attempt_failures_total", "counter", "Attempts that failed, by kind and cause.")
    steps = Family("triptych_steps_total", "counter", "Steps done, by kind; their rate is the speed.")
    for name, count in sorted(tally.items()):
        match name.split("|"):
            case ["ended", kind, state, cause]:
                ended.add(count, kind=kind, state=state, cause=cause)
            case ["failed", kind, cause]:
                failed.add(count, kind=kind, cause=cause)
            case ["steps", kind]:
                steps.add(count, kind=kind)
    wait = Family("triptych_wait_seconds", "histogram", "Time in the queue until a worker took the job.")
    recovery = Family(
        "triptych_recovery_seconds",
        "histogram",
        "From the last sign of a failed attempt to the first progress of the next one, by cause.",
    )
    return [ended, failed, steps, _histogram(wait, tally, "pool"), _histogram(recovery, tally, "cause")]


def _histogram(family: Family, tally: dict[str, float], label: str) -> Family:
    """From counts `wait|cpu|5` (between the bound 5 and the one before) and their sum `wait|cpu|sum`."""
    kind = family.name.split("_")[1]
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for name, count in tally.items():
        match name.split("|"):
            case [first, value, bound] if first == kind:
                found[value][bound] = count
    for value, counts in sorted(found.items()):
        in_order = [counts.get(bound, 0.0) for bound in (*(f"{bound:g}" for bound in BOUNDS), "inf")]
        family.add_histogram(BOUNDS, in_order, counts.get("sum", 0.0), **{label: value})
    return family
