"""What is measured: how things stand, from the records, and what has been counted, from the tally.

The tally is kept by the scripts that change the records (`lua/prelude.lua`), in the same step. So it counts
each thing once, whoever dies, and whether or not anybody looks.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import cast

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from jobs import catalog
from scheduler.capacity import NEARLY_FULL, memory
from scheduler.connection import PREFIX
from scheduler.messages import waiting
from scheduler.pools import POOLS, PRIORITIES
from scheduler.records import Records
from scheduler.scripts import BOUNDS
from scheduler.states import JobState
from scheduler.tally import Tally
from scheduler.workers import LiveWorker, Workers


class Figures(Collector):
    """Everything, read anew for each scrape: what is counted is in Redis and outlives every process."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def collect(self) -> Iterator[Metric]:
        """All families, now.

        Raises:
            RedisError: Redis does not answer.
        """
        yield from _jobs(self._records)
        yield from _queues(self._records)
        yield from _workers(self._records)
        yield _redis_memory(self._records)
        yield from _counted(Tally(self._records.redis).counted())


def _jobs(records: Records) -> list[Metric]:
    jobs = GaugeMetricFamily("triptych_jobs", "Jobs in each state.", labels=["state"])
    for state, count in records.counts().items():
        jobs.add_metric([state], count)
    running = GaugeMetricFamily("triptych_jobs_running", "Running jobs of each kind.", labels=["kind"])
    kinds = sorted(catalog.kinds())
    pipeline = records.redis.pipeline(transaction=False)
    for kind in kinds:
        pipeline.zcard(f"{PREFIX}state:{JobState.RUNNING}:{kind}")
    for kind, count in zip(kinds, cast("list[int]", pipeline.execute()), strict=True):
        running.add_metric([kind], count)
    return [jobs, running]


def _queues(records: Records) -> list[Metric]:
    depth = GaugeMetricFamily(
        "triptych_queue_depth",
        "Jobs that wait for a slot, by pool and priority.",
        labels=["pool", "priority"],
    )
    for pool in POOLS:
        for priority, count in zip(PRIORITIES, waiting(records.redis, pool), strict=True):
            depth.add_metric([pool, str(priority)], count)
    oldest = GaugeMetricFamily(
        "triptych_queue_oldest_seconds",
        "How long the oldest queued job has waited.",
        value=Tally(records.redis).longest_wait(),
    )
    pending = GaugeMetricFamily(
        "triptych_pending", "Leases held, messages to publish, jobs put off.", labels=["what"]
    )
    for name, count in records.leftovers().items():
        pending.add_metric([name], count)
    return [depth, oldest, pending]


def _workers(records: Records) -> list[Metric]:
    living = Workers(records.redis).living()
    busy = Counter(job.worker for job in records.newest(JobState.RUNNING, limit=10_000))
    workers = GaugeMetricFamily(
        "triptych_workers",
        "Live workers, by pool and whether they are drained.",
        labels=["pool", "draining"],
    )
    for (pool, draining), count in Counter((w.about.pool, w.about.draining) for w in living).items():
        workers.add_metric([pool, str(draining).lower()], count)
    slots = GaugeMetricFamily("triptych_slots", "Slots of live workers, by pool.", labels=["pool"])
    taken = GaugeMetricFamily("triptych_slots_busy", "Slots in which a job runs, by pool.", labels=["pool"])
    for pool in sorted({worker.about.pool for worker in living}):
        of_pool = [worker for worker in living if worker.about.pool == pool]
        slots.add_metric([pool], sum(worker.about.slots for worker in of_pool))
        taken.add_metric([pool], sum(busy[worker.name] for worker in of_pool))
    return [workers, slots, taken, _memory(living), _caches(living)]


def _memory(living: Iterable[LiveWorker]) -> Metric:
    memory = GaugeMetricFamily(
        "triptych_worker_memory_bytes", "Resident memory of a worker and its jobs.", labels=["worker"]
    )
    for worker in living:
        if worker.about.memory is not None:
            memory.add_metric([worker.name], worker.about.memory)
    return memory


def _caches(living: Iterable[LiveWorker]) -> Metric:
    caches = GaugeMetricFamily(
        "triptych_worker_cache_bytes",
        "The cache on a worker's disk: used, and its limit.",
        labels=["worker", "what"],
    )
    for worker in living:
        caches.add_metric([worker.name, "used"], worker.about.cache)
        caches.add_metric([worker.name, "limit"], worker.about.cache_limit)
    return caches


def _redis_memory(records: Records) -> Metric:
    figures = GaugeMetricFamily(
        "triptych_redis_memory_bytes",
        f"Memory of Redis: used, and its limit (0: none); new jobs are refused at {NEARLY_FULL:.0%} of it.",
        labels=["what"],
    )
    now = memory(records.redis)
    figures.add_metric(["used"], now.used)
    figures.add_metric(["limit"], now.limit)
    return figures


#: What is counted of deletions, in the tally and here.
_FREED = {
    "jobs": "Jobs that were deleted, or some of what they had left",
    "objects": "Objects that were deleted",
    "bytes": "Bytes that were freed",
}


def _counted(tally: dict[str, float]) -> list[Metric]:
    ended = CounterMetricFamily(
        "triptych_jobs_ended_total",
        "Jobs that ended, by kind, state and cause.",
        labels=["kind", "state", "cause"],
    )
    failed = CounterMetricFamily(
        "triptych_attempt_failures_total",
        "Attempts that failed, by kind and cause.",
        labels=["kind", "cause"],
    )
    steps = CounterMetricFamily(
        "triptych_steps_total", "Steps done, by kind; their rate is the speed.", labels=["kind"]
    )
    archived = CounterMetricFamily(
        "triptych_jobs_archived_total", "Jobs whose records have left Redis for the archive."
    )
    freed = {
        unit: CounterMetricFamily(
            f"triptych_freed_{unit}_total", f"{text}, by what was deleted.", labels=["what"]
        )
        for unit, text in _FREED.items()
    }
    for name, count in sorted(tally.items()):
        match name.split("|"):
            case ["ended", kind, state, cause]:
                ended.add_metric([kind, state, cause], count)
            case ["failed", kind, cause]:
                failed.add_metric([kind, cause], count)
            case ["steps", kind]:
                steps.add_metric([kind], count)
            case ["archived"]:
                archived.add_metric([], count)
            case ["freed", unit, what]:
                freed[unit].add_metric([what], count)
    wait = HistogramMetricFamily(
        "triptych_wait_seconds", "Time in the queue until a worker took the job.", labels=["pool"]
    )
    recovery = HistogramMetricFamily(
        "triptych_recovery_seconds",
        "From the last sign of a failed attempt to the first progress of the next one, by cause.",
        labels=["cause"],
    )
    _fill(wait, tally, "wait")
    _fill(recovery, tally, "recovery")
    return [ended, failed, steps, archived, *freed.values(), wait, recovery]


def _fill(histogram: HistogramMetricFamily, tally: dict[str, float], prefix: str) -> None:
    """From counts `wait|cpu|5` (between the bound 5 and the one before) and their sum `wait|cpu|sum`."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for name, count in tally.items():
        match name.split("|"):
            case [first, value, bound] if first == prefix:
                found[value][bound] = count
    names = [f"{bound:g}" for bound in BOUNDS]
    for value, counts in sorted(found.items()):
        below = accumulate(counts.get(name, 0.0) for name in (*names, "inf"))
        buckets = list(zip((*names, "+Inf"), below, strict=True))
        histogram.add_metric([value], buckets, counts.get("sum", 0.0))
