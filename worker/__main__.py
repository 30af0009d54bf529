"""Starts a worker: `python -m worker`."""

import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from threading import Event

from celery.exceptions import SecurityWarning
from celery.signals import heartbeat_sent, worker_shutting_down

from jobs import catalog
from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.connection import connect
from scheduler.queue import make_app
from scheduler.records import Records
from scheduler.settings import (
    LeaseSettings,
    PulseSettings,
    RedisSettings,
    RunnerSettings,
    StoreSettings,
    WorkerSettings,
    load,
)
from scheduler.workers import About, Workers
from worker.cache_bound import CacheBound, bound
from worker.cards import Card, Cards, cards
from worker.consumer import GatheringConsumer
from worker.devices import Slots, environment, processor, share, usable_cores
from worker.intake import Intake
from worker.memory import SLOT_MEMORY, budget, resident, size
from worker.places import OnCards, OnProcessors, Places
from worker.presence import Presence
from worker.runner_pool import RunnerPool
from worker.scratch import sweep
from worker.seat import Seat
from worker.supervisor import Machinery
from worker.task import register, take_back

logger = logging.getLogger(__name__)

#: Share of a lease for which a worker that starts waits for the end of what its former self has left.
_PATIENCE = 0.2


def main() -> None:
    """Runs until SIGTERM or Ctrl-C; then asks its jobs to stop, gives them back and ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run()
    except TriptychError as error:
        sys.exit(f"triptych worker: {error}")


def run() -> None:
    """Builds the worker from the settings and runs it.

    Raises:
        NotConfigured: it is not known where the servers are.
    """
    settings, redis, store = load(WorkerSettings), load(RedisSettings), load(StoreSettings)
    found = cards() if settings.pool == "gpu" else []
    slots = share(settings, usable_cores(), len(found))
    lease = load(LeaseSettings)
    name = f"{settings.pool}@{settings.worker_name}"
    seat = Seat(name, redis.redis_url.get_secret_value(), lease.lease_seconds * _PATIENCE)
    places = build_places(settings, slots, found, connection(redis, store), seat.descriptors)
    # Celery warns a superuser of pickles; this app takes JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    memory = budget(settings, slots.count)
    app = make_app(redis)
    ending = Event()
    intake = Intake(app, name, settings.pool, ending)
    machinery = Machinery(
        Records(connect(redis), lease.outbox_seconds),
        ArtifactStore(store),
        places,
        lease,
        intake.draining,
        memory,
        seat.mark,
    )
    register(app, machinery, name)

    @worker_shutting_down.connect(weak=False)
    def end(**_: object) -> None:
        ending.set()
        intake.draining.set()

    pulse = load(PulseSettings)
    cache = CacheBound(settings.cache, bound(settings))

    @heartbeat_sent.connect(weak=False)
    def beat(**_: object) -> None:
        pulse.beat()

    def about() -> About:
        return describe(settings, slots, found, intake.draining.is_set(), cache)

    logger.info("worker %s: %d slots of %d threads, %s each", name, slots.count, slots.threads, size(memory))
    sweep()
    cache.start(ending)
    places.stock()
    try:
        workers = Workers(machinery.records.redis)
        with Presence(workers, name, about, lease.heartbeat_seconds, intake.hear, seat.mark):
            take_back(app, machinery, name)  # before it claims anything, which would look the same
            app.Worker(
                hostname=name,
                queues=[settings.pool],
                # Threads: this process only supervises. It imports no TensorFlow and forks nothing.
                pool="threads",
                concurrency=slots.count,
                loglevel="INFO",
                task_events=True,
                without_gossip=True,  # nobody elects anybody
                without_mingle=True,  # no need to wait for neighbours at the start
                consumer_cls=GatheringConsumer,
            ).start()
    finally:
        places.close()


def build_places(
    settings: WorkerSettings,
    slots: Slots,
    found: Sequence[Card],
    servers: Mapping[str, str],
    inherited: tuple[int, ...] = (),
) -> Places:
    """Where the jobs run, with what their runners find in their environment."""
    imports = {module for spec in catalog.kinds().values() for module in spec.imports}
    # A runner loads the same settings, so it needs only what this process may have got from a file.
    memory = {SLOT_MEMORY: str(budget(settings, slots.count))}
    common = environment(settings, slots) | memory | dict(servers)

    def runners(besides: Mapping[str, str], plain: int) -> RunnerPool:
        return RunnerPool(
            common | dict(besides),
            tuple(sorted(imports)),
            plain,
            settings.warm_runners,
            load(RunnerSettings).runner_idle_seconds,
            inherited,
        )

    if not found:
        return OnProcessors(runners({}, slots.count))
    of_a_card = settings.gpu_slots
    return OnCards(found, of_a_card, Cards(found, of_a_card), lambda besides: runners(besides, of_a_card))


def describe(
    settings: WorkerSettings, slots: Slots, found: Sequence[Card], draining: bool, cache: CacheBound
) -> About:
    """What this worker says of itself now."""
    device = ", ".join(card.name for card in found) or processor()
    return About(
        settings.pool,
        slots.count,
        slots.threads,
        device,
        resident(os.getpid()),
        draining,
        cache.bytes,
        cache.most,
    )


def connection(redis: RedisSettings, store: StoreSettings) -> dict[str, str]:
    """The addresses and keys of the servers, as a runner finds them in its environment."""
    return {
        "TRIPTYCH_REDIS_URL": redis.redis_url.get_secret_value(),
        "TRIPTYCH_S3_URL": store.s3_url,
        "TRIPTYCH_S3_ACCESS_KEY": store.s3_access_key.get_secret_value(),
        "TRIPTYCH_S3_SECRET_KEY": store.s3_secret_key.get_secret_value(),
        "TRIPTYCH_S3_BUCKET": store.s3_bucket,
        "TRIPTYCH_S3_REGION": store.s3_region,
        # A runner works in another folder.
        "TRIPTYCH_CA_FILE": str(store.ca_file.absolute()) if store.ca_file else "",
    }


if __name__ == "__main__":
    main()
