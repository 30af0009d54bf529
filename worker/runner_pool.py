"""Gives out runner processes, and takes back those that can be used again.

Where the system allows it they are copies of a process that has imported what they need; elsewhere spare ones
are kept, since importing takes seconds.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

import psutil

from jobs.spec import JobSpec
from worker.runners import Runner, Start
from worker.starts import CannotFork, Spawn, Template, can_fork, may_use_card

logger = logging.getLogger(__name__)

#: Seconds between two looks at what is missing, and for which a slot must have been free before spare runners
#: are started: between two jobs of a long queue there is no time for it.
_PULSE, _QUIET = 0.5, 1.0


class RunnerPool:
    """Runners of one place, warm (with slow imports done) or plain: copies or spare ones, and used ones."""

    def __init__(
        self,
        environment: Mapping[str, str],
        imports: tuple[str, ...],
        slots: int,
        warm: int,
        idle_seconds: float,
        inherited: tuple[int, ...] = (),
    ) -> None:
        """Starts nothing yet.

        Args:
            environment: of every runner, besides the worker's own.
            imports: of a warm runner: what any kind of job imports slowly.
            slots: jobs at once; as many plain runners are kept, where they cannot be copied.
            warm: how many warm ones are kept, or, where they can be copied, whether their template is.
            idle_seconds: after which a used runner that nobody needs is ended.
            inherited: descriptors that every runner holds while it lives.
        """
        self._environment = environment
        self._imports = imports
        self._slots = slots
        self._warm = warm if imports else 0
        self._idle_seconds = idle_seconds
        self._inherited = inherited
        self._card = may_use_card(environment)
        self._forks = can_fork(environment)
        self._templates: dict[tuple[str, ...], Template] = {}
        self._fresh: list[Runner] = []
        self._used: list[Runner] = []  #: the one used last is the last
        self._busy = 0
        self._full_until = 0.0  #: when a slot became free, by `time.monotonic`
        self._lock = Lock()
        self._closed = Event()
        # One thread for the worker's whole life starts every runner: Linux tells a child of its parent's
        # death when the thread that started it ends.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="runner-starter")

    def stock(self) -> None:
        """Starts the spare runners, and sees to it from now on that there are some."""
        if self._forks:
            self._starter.submit(self._template, ())
            if self._warm:
                self._starter.submit(self._template, self._imports)
        else:
            self._starter.submit(self._refill, (), self._slots)
            self._starter.submit(self._refill, self._imports, self._warm)
        Thread(target=self._keep, daemon=True, name="runner-stock").start()

    def take(self, kind: type[JobSpec], *, alone: bool = False) -> Runner:  # type: ignore[type-arg]
        """A runner for a job of a kind: a used one, if the kind allows it, else a spare one, else a new one.

        Args:
            kind: the class of its spec.
            alone: whether it is to have a process that has run nothing before.
        """
        imports = self._imports if kind.imports else ()
        with self._lock:
            self._busy += 1
            used = self._used if kind.reuses_runner and not alone else []
            found = _last(used, imports) or _last(self._fresh, imports)
            for runners in (self._used, self._fresh):
                if found in runners:
                    runners.remove(found)
            # Never more processes than slots and spare ones: a job must find the memory that its slot has.
            surplus = self._used[: max(0, self._busy + len(self._used) - self._slots)]
            del self._used[: len(surplus)]
        for runner in surplus:
            runner.close()
        if not (imports or self._forks):  # it is there soon, and takes little from the job
            self._starter.submit(self._refill, (), self._slots)
        if found is None:
            return self._new(imports)
        if found.alive:
            return found
        found.close()  # ended by somebody while it waited
        with self._lock:
            self._busy -= 1
        return self.take(kind, alone=alone)

    def give_back(self, runner: Runner, *, again: bool) -> None:
        """Ends a runner, or keeps it for another job.

        Args:
            runner: whose job has ended.
            again: whether it may be used again, if it says that it can.
        """
        if again:
            again, why = runner.can_go_on()
            if why:
                logger.info("runner %d ends after %d jobs: %s", runner.process.pid, runner.jobs, why)
        if again:
            runner.begin_anew()
        with self._lock:
            self._busy -= 1
            self._full_until = time.monotonic()
            if again and not self._closed.is_set():
                self._used.append(runner)
                return
        runner.close()

    def close(self) -> None:
        """Ends the spare runners, and the used ones."""
        self._closed.set()
        self._starter.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            runners = [*self._fresh, *self._used]
            self._fresh, self._used = [], []
            templates = [*self._templates.values()]
        for runner in runners:
            runner.close()
        for template in templates:
            template.close()

    def _keep(self) -> None:
        psutil.cpu_times_percent()  # the first answer means nothing
        while not self._closed.wait(_PULSE):
            self._end_idle()
            if not self._forks and self._has_time():
                try:
                    self._starter.submit(self._refill, self._imports, self._warm).result()
                except RuntimeError:
                    return  # the worker ends in this moment
                except OSError as error:  # no memory or no process to be had just now
                    logger.warning("no spare runner could be started: %s", error)

    def _has_time(self) -> bool:
        """Whether a spare runner can be started without taking the processors from a job of this place."""
        idle_cores = psutil.cpu_times_percent().idle / 100.0 * (psutil.cpu_count() or 1)
        with self._lock:
            free = self._busy < self._slots and time.monotonic() - self._full_until >= _QUIET
        return free or idle_cores >= 1.0

    def _end_idle(self) -> None:
        with self._lock:
            long_ago = time.monotonic() - self._idle_seconds
            old = [runner for runner in self._used if runner.idle_since < long_ago]
            self._used = [runner for runner in self._used if runner not in old]
            needless = (
                []
                if self._warm or self._busy or self._used or self._full_until > long_ago
                else [self._imports]
            )
            templates = [self._templates.pop(imports) for imports in needless if imports in self._templates]
        for runner in old:
            runner.close()
        for template in templates:
            template.close()

    def _refill(self, imports: tuple[str, ...], wanted: int) -> None:
        with self._lock:
            missing = wanted - sum(runner.imports == imports for runner in self._fresh)
        for _ in range(missing):
            if self._closed.is_set():
                return
            runner = self._start(imports)
            with self._lock:
                self._fresh.append(runner)

    def _new(self, imports: tuple[str, ...]) -> Runner:
        """One that has run nothing yet: a copy, if there is a way."""
        for _ in range(2 if self._forks else 0):  # a template that somebody has ended is followed by another
            template = self._starter.submit(self._template, imports).result()
            try:
                return self._made(imports, template)
            except CannotFork as error:
                self._forks = self._forks and not error.ever
                logger.warning("a runner could not be copied: %s", error)
        return self._starter.submit(self._start, imports).result()

    def _template(self, imports: tuple[str, ...]) -> Template:
        with self._lock:
            found = self._templates.get(imports)
        if found is None or not found.alive:
            if found is not None:
                found.close()
            found = Template(imports, self._environment, self._inherited)
            with self._lock:
                self._templates[imports] = found
        return found

    def _start(self, imports: tuple[str, ...]) -> Runner:
        return self._made(imports, Spawn(imports, self._environment, self._inherited))

    def _made(self, imports: tuple[str, ...], start: Start) -> Runner:
        return Runner(imports, start, self._card)


def _last(runners: list[Runner], imports: tuple[str, ...]) -> Runner | None:
    return next((runner for runner in reversed(runners) if runner.imports == imports), None)
