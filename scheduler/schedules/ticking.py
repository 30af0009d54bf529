"""The scheduler's part in schedules: it finds the ticks that are due, and has their jobs submitted."""

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from redis.exceptions import RedisError

from jobs.errors import TriptychError
from scheduler.client import Client
from scheduler.errors import DamagedArtifact, Refused, TickTaken, UnknownArtifact, Unreachable
from scheduler.leader import Leader
from scheduler.schedules.schedule import Missed, Overlap, Schedule, Tick

logger = logging.getLogger(__name__)

#: Seconds by which a tick may be late. If any is later, no scheduler was up, and all of them were missed.
LATE = 60.0
#: What passes, so that a tick is tried again in the next round.
_PASSING = (Unreachable, Refused, UnknownArtifact, DamagedArtifact)


class Ticking:
    """Deals with every tick of every schedule. Several may run; one leads, and a late one does no harm."""

    def __init__(self, client: Client, seconds: float) -> None:
        """Takes how often it looks."""
        self._client = client
        self._schedules = client.schedules
        self._records = client.schedules.records
        self._leader = Leader(client.records.redis, "leader:schedules", 3 * seconds)
        self._next: dict[str, tuple[float, int | None]] = {}  #: by id: the last tick, and the one after it

    def step(self) -> None:
        """Does what is due now."""
        if not self._leader.leads():
            return
        now = self._records.now()
        for schedule in self._records.all():
            try:
                self._look_at(schedule, now)
            except (RedisError, OSError):
                raise
            except Exception:
                # A bug, or what it names cannot even be read: the other schedules are not to wait for it.
                logger.exception("schedule %s is tried again", schedule.name)

    def _look_at(self, schedule: Schedule, now: float) -> None:
        if schedule.last > now + 1 and not schedule.paused:
            # The clock was put back. What was submitted by its former time is not submitted again.
            self._records.set_paused(replace(schedule.definition(), since=now))
        elif not schedule.paused and self._is_due(schedule, now):
            self._deal_with(schedule, now)

    def _is_due(self, schedule: Schedule, now: float) -> bool:
        known = self._next.get(schedule.id)
        if known is None or known[0] != schedule.last:
            known = self._next[schedule.id] = schedule.last, schedule.ticks.after(schedule.last)
        return known[1] is not None and known[1] <= now

    def _deal_with(self, schedule: Schedule, now: float) -> None:
        try:
            for moment, missed in due(schedule, now):
                if missed:
                    self._pass_over(schedule, moment, "missed while no scheduler was up")
                else:
                    self._submit(schedule, moment)
        except _PASSING as error:
            logger.warning("schedule %s is tried again: %s", schedule.name, error)

    def _submit(self, schedule: Schedule, moment: int) -> None:
        if schedule.overlap is not Overlap.ALLOW:
            tick = Tick(schedule.name, schedule.id, moment)
            earlier = [job for job in self._records.unfinished(schedule.name) if job != tick.job_id]
            if earlier and schedule.overlap is Overlap.SKIP:
                self._pass_over(schedule, moment, f"job {earlier[-1]} had not ended")
                return
            for job_id in earlier:
                self._client.get(job_id).cancel()
        try:
            job = self._schedules.submit(schedule, moment)
            logger.info("schedule %s: job %s", schedule.name, job.id)
        except TickTaken as error:
            logger.info("schedule %s: %s", schedule.name, error)
        except _PASSING:
            raise
        except TriptychError as error:
            self._pass_over(schedule, moment, str(error))

    def _pass_over(self, schedule: Schedule, moment: int, note: str) -> None:
        logger.warning("schedule %s: no job: %s", schedule.name, note)
        self._records.pass_over(Tick(schedule.name, schedule.id, moment), note)


def due(schedule: Schedule, now: float) -> list[tuple[int, bool]]:
    """The ticks to deal with now, the oldest first, each with whether it was missed and gets no job."""
    first = schedule.ticks.after(schedule.last)
    if first is None or first > now:
        return []
    if first < now - LATE:
        # All that were missed count as the last of them.
        latest = schedule.ticks.latest(now) or first
        return [(latest, schedule.missed is Missed.SKIP)]
    ticks = []
    tick: int | None = first
    while tick is not None and tick <= now:
        ticks.append(tick)
        tick = schedule.ticks.after(tick)
    return [(tick, False) for tick in ticks]


def run(make_client: Callable[[], Client], seconds: float, stop: Event) -> None:
    """Looks every so many seconds until told to stop; servers that are away are waited for."""
    ticking: Ticking | None = None
    while not stop.wait(seconds):
        try:
            ticking = ticking or Ticking(make_client(), seconds)
            ticking.step()
        except (TriptychError, RedisError, OSError) as error:
            logger.warning("schedules wait: %s", error)
        except Exception:
            logger.exception("schedules are looked at again")  # rather than never
