"""Starts the scheduler: `python -m scheduler`."""

import logging
import signal
import sys
from threading import Event

from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.monitoring.door import open_door
from scheduler.queue import make_app
from scheduler.records import Records, connect
from scheduler.recovery import Recovery
from scheduler.settings import (
    LeaseSettings,
    MetricsSettings,
    PulseSettings,
    RedisSettings,
    StoreSettings,
    load,
)

logger = logging.getLogger(__name__)


def main() -> None:
    """Runs until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        redis, store = load(RedisSettings), ArtifactStore(load(StoreSettings))
        store.ensure_bucket()
        logger.info("scheduler: ready")
        lease = load(LeaseSettings)
        records = Records(connect(redis), lease.outbox_seconds)
        with open_door(load(MetricsSettings), records):
            Recovery(records, store, make_app(redis), lease, load(PulseSettings).beat).run(stop)
    except TriptychError as error:
        sys.exit(f"triptych scheduler: {error}")


if __name__ == "__main__":
    main()
