"""Many jobs under many faults: who was accepted must end as if nothing had happened."""

import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from redis.exceptions import RedisError
from triptych_drill.spec import Train
from triptych_trial.spec import Rows

from jobs.errors import TriptychError
from jobs.local import run_locally
from jobs.spec import Limits
from scheduler import Job
from scheduler.keys import JobKeys
from tests.chaos.faults import Planned, Striker, plan
from tests.chaos.stage import LEASE_SECONDS, Stage
from tests.chaos.tally import Tally

_T = TypeVar("_T")
#: Different trainings; more jobs than that repeat their seeds, so that few undisturbed runs have to be made.
_SEEDS = 20
#: So slow that the jobs last as long as the faults.
_STEP_SECONDS = 0.05
#: How long no job may end once no fault comes any more: longer, and those that are left never will.
_PATIENCE = 120.0
#: Seconds between two looks at all jobs that have not ended: each costs a question to Redis.
_LOOK = 0.5
#: Seconds until a fault is given up that finds nothing to strike.
_NO_TARGET = 5.0


@dataclass(frozen=True)
class Course:
    """How much of what.

    Attributes:
        jobs: jobs at least; with `minutes`, new ones follow those that have ended.
        divided: further jobs, of several parts each.
        faults: faults in all; without `minutes`, the run ends with the last of them.
        minutes: how long faults go on; 0 for as long as it takes to have `faults` of them.
        seed: decides which fault comes when, and whom it strikes.
        pause: mean seconds between two faults.
        store: the S3 server, seaweed or minio.
    """

    jobs: int = 200
    divided: int = 0
    faults: int = 100
    minutes: float = 0.0
    seed: int = 1
    pause: float = 0.8
    store: str = "seaweed"


class Run:
    """One chaos run, from a stage to its tally."""

    def __init__(self, course: Course, folder: Path, say: Callable[[str], None]) -> None:
        self._course = course
        self._folder = folder
        self._say = say
        self._tally = Tally(course.seed)
        self._jobs: dict[str, Job[object]] = {}
        self._seen: dict[str, dict[str, bytes]] = {}  #: id of an ended job -> its objects at that moment
        self._ids: list[str] = []
        self._divided: list[str] = []
        self._looked = 0.0  #: at all jobs, by `time.monotonic`
        (folder / "journals").mkdir()

    def go(self) -> Tally:
        """Does it."""
        began = time.monotonic()
        with Stage(self._folder, store=self._course.store) as stage:
            self._stage = stage
            self._striker = Striker(stage, self._ids, self._folder / "journals")
            self._submit_divided(self._course.divided)
            self._submit(self._course.jobs)
            self._strike()
            self._settle()
            self._judge()
            self._tally.restarts = stage.starts
        self._tally.seconds = time.monotonic() - began
        return self._tally

    def _submit(self, count: int) -> None:
        for _ in range(count):
            number = len(self._ids)
            spec = Train(
                seed=number % _SEEDS,
                step_seconds=_STEP_SECONDS,
                journal=str(self._folder / "journals" / str(number)),
                # Faults are far more frequent here than five in a job's life.
                limits=Limits(attempts=100),
            )
            # The same key each time, so that whoever got no answer can ask again.
            job = self._patiently(lambda spec=spec, number=number: self._client_submit(spec, number))  # type: ignore[misc]
            self._ids.append(job.id)
            self._jobs[job.id] = job

    def _submit_divided(self, count: int) -> None:
        for number in range(count):
            spec = Rows(rows=24, window=2, row_seconds=0.05, seed=number, limits=Limits(attempts=100))
            submit: Callable[[], Job[object]] = lambda spec=spec, number=number: self._stage.client.submit(  # type: ignore[misc]  # noqa: E731
                spec, key=f"divided-{number}", parts=4, priority=number % 10
            )
            job = self._patiently(submit)
            self._divided.append(job.id)
            self._jobs[job.id] = job

    def _client_submit(self, spec: Train, number: int) -> Job[object]:
        return self._stage.client.submit(spec, key=f"chaos-{number}")  # type: ignore[return-value]

    def _strike(self) -> None:
        course = self._course
        end = time.monotonic() + course.minutes * 60
        for planned in plan(course.seed, course.pause):
            if self._over(end):
                return
            self._live(planned.pause)
            self._strike_one(planned)
            if course.minutes and (missing := course.jobs // 2 - self._open()) > 0:
                self._submit(missing)

    def _over(self, end: float) -> bool:
        course = self._course
        if course.minutes:
            return time.monotonic() >= end
        return self._tally.faults.total() >= course.faults

    def _strike_one(self, planned: Planned) -> None:
        given_up = time.monotonic() + _NO_TARGET
        while not self._striker.strike(planned):
            if time.monotonic() > given_up:
                return
            self._live(0.2)
        self._tally.faults[planned.fault] += 1
        self._say(f"{self._tally.faults.total():4}  {planned.fault}; {self._open()} jobs to go")

    def _settle(self) -> None:
        """Without further faults, until all jobs have ended and whatever slept has had time to write."""
        self._striker.take_back(everything=True)

        left, end = self._open(), time.monotonic() + _PATIENCE
        while left and time.monotonic() < end:
            self._live(0.3)
            if self._open() < left:
                left, end = self._open(), time.monotonic() + _PATIENCE
        self._tally.expect(not left, f"of {left} jobs none has ended in {_PATIENCE:g} s")
        self._live(2 * LEASE_SECONDS)

    def _judge(self) -> None:
        tally, client = self._tally, self._stage.client
        expected = [self._undisturbed(seed) for seed in range(min(_SEEDS, len(self._ids)))]
        for number, job_id in enumerate(self._ids):
            tally.judge(client, self._jobs[job_id], expected[number % _SEEDS], self._seen.get(job_id, {}))
        whole = self._whole()
        for job_id in self._divided:
            tally.judge_divided(client, self._jobs[job_id], whole, self._seen.get(job_id, {}))
        left = client.records.leftovers()
        tally.expect(not any(left.values()), f"something is left in Redis: {left}")
        runners = self._stage.leftover_runners()
        tally.expect(not runners, f"processes have outlived their worker: {runners}")

    def _undisturbed(self, seed: int) -> str:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder, redirect_stdout(None):
            return run_locally(Train(seed=seed), Path(folder) / "job").state_sha256

    def _whole(self) -> bytes:
        """What each divided job leaves, as one that is not divided leaves it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            run_locally(Rows(rows=24, window=2), Path(folder) / "job")
            return (Path(folder) / "job/artifacts/rows.bin").read_bytes()

    def _open(self) -> int:
        return len(self._jobs) - len(self._seen)

    def _live(self, seconds: float) -> None:
        """Lets time pass: ends what is due, starts again what has ended, notes which jobs have ended."""
        end = time.monotonic() + seconds
        while True:
            self._striker.take_back()
            self._stage.tend()
            with suppress(RedisError, TriptychError, OSError):  # a server is away; the next look finds them
                self._note_ended()
            if (left := end - time.monotonic()) <= 0:
                return
            time.sleep(min(left, 0.1))

    def _note_ended(self) -> None:
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        for job_id, job in self._jobs.items():
            if job_id not in self._seen and job.record.state.final:
                keys = JobKeys(job_id)
                store = self._stage.client.store
                objects = [keys.result, *(item.key for item in store.under(keys.all_metrics))][:1]
                self._seen[job_id] = {key: store.get(key) for key in objects if store.exists(key)}

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        while True:
            try:
                return ask()
            except (RedisError, TriptychError, OSError):
                self._live(0.5)
