"""Starts the scheduler: `python -m scheduler`."""

import logging
import signal
import sys
from functools import partial
from threading import Event, Thread

from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.client import Client
from scheduler.connection import connect
from scheduler.monitoring.door import open_door
from scheduler.queue import make_app
from scheduler.records import Records
from scheduler.recovery import Recovery
from scheduler.retention import Retention
from scheduler.schedules.ticking import run as run_schedules
from scheduler.settings import (
    LeaseSettings,
    MetricsSettings,
    PulseSettings,
    RedisSettings,
    RetentionSettings,
    StoreSettings,
    load,
)
from scheduler.sweeps.running import run as run_sweeps

logger = logging.getLogger(__name__)


def main() -> None:
    """Runs until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        redis, place = load(RedisSettings), load(StoreSettings)
        store = ArtifactStore(place)
        store.ensure_bucket()
        logger.info("scheduler: ready")
        lease = load(LeaseSettings)
        records = Records(connect(redis), lease.outbox_seconds)
        # Beside the loop, which must not wait for the store: leases run out meanwhile.
        ticking = (partial(Client, redis, place), lease.sweep_seconds, stop)
        Thread(target=run_schedules, args=ticking, daemon=True, name="schedules").start()
        Thread(target=run_sweeps, args=ticking, daemon=True, name="sweeps").start()
        retention = Retention(records, store, load(RetentionSettings))
        Thread(target=retention.run, args=(stop,), daemon=True, name="retention").start()
        with open_door(load(MetricsSettings), records):
            Recovery(records, store, make_app(redis), lease, load(PulseSettings).beat).run(stop)
    except TriptychError as error:
        sys.exit(f"triptych scheduler: {error}")


if __name__ == "__main__":
    main()
