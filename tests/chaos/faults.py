"""The faults, and a plan of them that a seed repeats."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from redis.exceptions import RedisError

from jobs.errors import TriptychError
from scheduler.keys import JobKeys
from scheduler.states import JobState
from tests.chaos.proxy import Line
from tests.chaos.stage import LEASE_SECONDS, Member, Server, Stage


class Fault(StrEnum):
    """What can go wrong."""

    KILL_RUNNER = "kill -9 of a runner"
    KILL_WORKER = "kill -9 of a worker"
    KILL_SCHEDULER = "kill -9 of a scheduler"
    KILL_REDIS = "kill -9 of Redis"
    KILL_STORE = "kill -9 of the S3 server"
    SLEEP = "SIGSTOP of a worker for longer than its lease"
    DRAIN = "SIGTERM to a worker"
    CUT = "a worker's connections to Redis cut and refused"
    HOLD = "a worker's connections to Redis silent"
    DISCONNECT = "all clients disconnected by Redis"
    FULL = "a full disk under the S3 server"
    FLIP = "a flipped byte in the newest checkpoint, and kill -9 of its runner"
    HALVE = "half of the newest checkpoint, and kill -9 of its runner"
    SWAP = "another job's checkpoint as the newest, and kill -9 of its runner"
    CLOCK = "a worker's clock wrong by up to 10 minutes"


#: How often each comes in a round. What restarts a process takes the longest to get over.
_WEIGHTS = {
    Fault.KILL_RUNNER: 4,
    Fault.FLIP: 2,
    Fault.HALVE: 2,
    Fault.SWAP: 2,
    Fault.KILL_WORKER: 2,
    Fault.SLEEP: 2,
}
DAMAGE = (Fault.FLIP, Fault.HALVE, Fault.SWAP)


@dataclass(frozen=True)
class Planned:
    """One fault of a plan."""

    fault: Fault
    pause: float  #: seconds after the one before
    draw: int  #: decides whom it strikes, and by how much


def plan(seed: int, pause: float) -> Iterator[Planned]:
    """Faults without end, in rounds that hold each sort; the same for the same seed."""
    random = Random(seed)
    while True:
        faults = [fault for fault in Fault for _ in range(_WEIGHTS.get(fault, 1))]
        random.shuffle(faults)
        for fault in faults:
            yield Planned(fault, pause * random.uniform(0.5, 1.5), random.randrange(2**32))


@dataclass(frozen=True)
class Undo:
    """What ends a fault that lasts."""

    at: float  #: by `time.monotonic`
    action: Callable[[], object]


class Striker:
    """Does to a stage what a plan says; `undo` holds what is to be taken back later."""

    def __init__(self, stage: Stage, jobs: list[str], journals: Path) -> None:
        self.stage = stage
        self.undo: list[Undo] = []
        self._jobs = jobs
        self._journals = journals

    def strike(self, planned: Planned) -> bool:
        """Does it; False if there is nothing now that it could be done to."""
        random = Random(planned.draw)
        try:
            return bool(_STRIKES[planned.fault](self, random, planned.fault))
        except (RedisError, TriptychError, OSError):
            return False  # a server that it needs is away

    def take_back(self, everything: bool = False) -> None:
        """Ends the faults whose time has come."""
        now = time.monotonic()
        for undo in [undo for undo in self.undo if everything or undo.at <= now]:
            undo.action()
            self.undo.remove(undo)

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self.undo.append(Undo(time.monotonic() + seconds, action))

    def kill_runner(self, random: Random, _: Fault) -> bool:
        found = self._busy(random)
        if found is None:
            return False
        os.kill(found[1], signal.SIGKILL)
        return True

    def damage(self, random: Random, fault: Fault) -> bool:
        found = self._busy(random)
        if found is None:
            return False
        job_id, runner = found
        store = self.stage.client.store
        # It must not leave a newer one meanwhile.
        os.kill(runner, signal.SIGSTOP)
        try:
            keys = [item.key for item in store.under(JobKeys(job_id).checkpoints)]
            if not keys:
                return False
            content = store.get(keys[-1])
            if fault is Fault.FLIP:
                place = random.randrange(len(content))
                content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            elif fault is Fault.HALVE:
                content = content[: len(content) // 2]
            else:
                content = store.get(self._foreign(random, job_id))
            store.put(keys[-1], content)
            return True
        finally:
            os.kill(runner, signal.SIGKILL)

    def kill_worker(self, random: Random, _: Fault) -> bool:
        return self._signal(self.stage.workers, random, signal.SIGKILL)

    def kill_scheduler(self, random: Random, _: Fault) -> bool:
        return self._signal(self.stage.schedulers, random, signal.SIGKILL)

    def drain(self, random: Random, _: Fault) -> bool:
        return self._signal(self.stage.workers, random, signal.SIGTERM)

    def kill_redis(self, random: Random, _: Fault) -> bool:
        return self._kill_server(self.stage.redis, random)

    def kill_store(self, random: Random, _: Fault) -> bool:
        return self._kill_server(self.stage.store, random)

    def sleep(self, random: Random, _: Fault) -> bool:
        worker = self._one(self.stage.workers, random)
        if worker is None:
            return False
        self.stage.sleep(worker)
        self._later(LEASE_SECONDS * random.uniform(1.2, 2), lambda: self.stage.wake(worker))
        return True

    def break_line(self, random: Random, fault: Fault) -> bool:
        worker = self._one(self.stage.workers, random)
        if worker is None or worker.line is None or worker.line.line is not Line.OPEN:
            return False
        line = worker.line
        line.line = Line.CUT if fault is Fault.CUT else Line.HELD
        # Now and then shorter than the lease, now and then longer.
        self._later(LEASE_SECONDS * random.uniform(0.3, 1.7), lambda: setattr(line, "line", Line.OPEN))
        return True

    def disconnect(self, random: Random, _: Fault) -> bool:
        self.stage.client.records.redis.client_kill_filter(_type="normal", skipme=True)
        return True

    def fill(self, random: Random, _: Fault) -> bool:
        line = self.stage.store_line
        if line.line is not Line.OPEN:
            return False
        line.line = Line.FULL
        self._later(random.uniform(1, 4), lambda: setattr(line, "line", Line.OPEN))
        return True

    def set_clock(self, random: Random, _: Fault) -> bool:
        worker = self._one(self.stage.workers, random)
        if worker is None:
            return False
        # S3 itself refuses requests whose clock is wrong by more than 15 minutes.
        self.stage.set_clock(worker, random.uniform(-600, 600))
        return True

    def _one(self, members: list[Member], random: Random) -> Member | None:
        return next((member for member in random.sample(members, len(members)) if member.up), None)

    def _signal(self, members: list[Member], random: Random, number: signal.Signals) -> bool:
        member = self._one(members, random)
        if member is None:
            return False
        member.process.send_signal(number)
        return True

    def _kill_server(self, server: Server, random: Random) -> bool:
        if not (server.up and server.service.ready()):
            return False
        server.absent_until = time.monotonic() + random.uniform(0, 1.5)
        os.kill(server.process.pid, signal.SIGKILL)
        return True

    def _busy(self, random: Random) -> tuple[str, int] | None:
        """A job and the process that does its steps."""
        running = self.stage.client.records.newest(JobState.RUNNING, limit=100)
        told = [job for job in running if "journal" in job.spec]
        found = [(job.id, pid) for job in told if (pid := self._runner_of(job.spec["journal"]))]
        return random.choice(found) if found else None

    def _runner_of(self, journal: str) -> int | None:
        path = Path(journal)
        lines = path.read_text().splitlines() if path.exists() else []
        if not lines:
            return None
        pid = int(lines[-1].split()[0])
        asleep = any(pid in member.asleep for member in self.stage.members)
        return pid if self.stage.owns(pid) and not asleep else None

    def _foreign(self, random: Random, job_id: str) -> str:
        """The key of a checkpoint of another job."""
        store = self.stage.client.store
        for other in random.sample(self._jobs, len(self._jobs)):
            if other != job_id:
                for item in store.under(JobKeys(other).checkpoints):
                    return item.key
        raise OSError("no other job has a checkpoint yet")


_STRIKES: dict[Fault, Callable[[Striker, Random, Fault], bool]] = {
    Fault.KILL_RUNNER: Striker.kill_runner,
    Fault.KILL_WORKER: Striker.kill_worker,
    Fault.KILL_SCHEDULER: Striker.kill_scheduler,
    Fault.KILL_REDIS: Striker.kill_redis,
    Fault.KILL_STORE: Striker.kill_store,
    Fault.SLEEP: Striker.sleep,
    Fault.DRAIN: Striker.drain,
    Fault.CUT: Striker.break_line,
    Fault.HOLD: Striker.break_line,
    Fault.DISCONNECT: Striker.disconnect,
    Fault.FULL: Striker.fill,
    Fault.FLIP: Striker.damage,
    Fault.HALVE: Striker.damage,
    Fault.SWAP: Striker.damage,
    Fault.CLOCK: Striker.set_clock,
}
