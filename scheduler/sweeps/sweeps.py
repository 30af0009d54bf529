"""Sweeps as a person holds them: `client.sweep(TrainGan(...), {...}, metric=..., trials=30)`."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any

from jobs.errors import InvalidSpec
from jobs.names import NAME_PATTERN
from jobs.spec import JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import JobFailed, NotInstalled, TimedOut, UnknownSweep
from scheduler.job import Job
from scheduler.keys import SweepKeys
from scheduler.records import Records
from scheduler.sweeps import stored
from scheduler.sweeps.plan import best as best_of
from scheduler.sweeps.plan import ranked
from scheduler.sweeps.spaces import AnyRange
from scheduler.sweeps.stored import ACTIVE, StoredSweep
from scheduler.sweeps.sweep import SweepSpec, SweepState, Trial

#: Seconds between two looks at a sweep that is waited for.
_PAUSE = 0.5


class Sweep:
    """A handle to one sweep."""

    def __init__(self, found: StoredSweep, get: Callable[[str], Job[Any]]) -> None:
        self._stored, self._get = found, get
        self.id = found.definition.id

    @property
    def spec(self) -> SweepSpec:
        """What is searched."""
        return self._stored.definition.spec

    @property
    def state(self) -> SweepState:
        """Where it stands."""
        result = self._stored.result()
        return SweepState(result["state"]) if result else SweepState.RUNNING

    @property
    def message(self) -> str:
        """Why it failed, if it did."""
        result = self._stored.result()
        return str(result["message"]) if result else ""

    def trials(self) -> list[Trial]:
        """The trials that were asked for by now, by number."""
        return self._stored.trials()

    def ranking(self) -> list[Trial]:
        """The trials with a value, the best first: those of the highest rung, then those of the one below."""
        trials, found = self.trials(), list[Trial]()
        for rung in reversed(range(max(1, len(self.spec.rungs)))):
            found += [trial for trial in ranked(self.spec, trials, rung) if trial not in found]
        return found

    def best(self) -> Job[Any]:
        """The job of the best trial so far; of a sweep with rungs, that of the highest rung.

        Raises:
            JobFailed: no trial has a value yet, or ever.
        """
        trial = best_of(self.spec, self.trials())
        if trial is None:
            raise JobFailed(f"sweep {self.id} is {self.state}, and no trial has a value: {self.message}")
        return self.job_of(trial)

    def job_of(self, trial: Trial) -> Job[Any]:
        """The job of a trial with a value, in the highest rung in which it has one."""
        return self._get([each.job for each in trial.outcomes if each.value is not None][-1])

    def importances(self) -> dict[str, float] | None:
        """How much of the variation among good trials each field explains, from 0 to 1; empty of too few.

        None where Optuna is not installed, which comes with the extra `sweeps`.
        """
        try:
            from scheduler.sweeps.search import importances
        except ModuleNotFoundError:
            return None
        trials = self.trials()
        done = [(trial.values, value) for trial in trials if (value := trial.value(0)) is not None]
        return importances(self.spec, done)

    def report(self) -> str:
        """One HTML page on how it stands, self-contained.

        Raises:
            NotInstalled: Jinja2 is not installed here.
        """
        try:
            from scheduler.report.sweep import sweep_page
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"making a report needs the package {error.name}, which comes with the extra `report`"
            ) from None
        return sweep_page(self, self.importances())

    def table(self) -> list[dict[str, Any]]:
        """A row for each trial: number, values, rung, job, state, the metric, cause."""
        return [_row(trial, self.spec) for trial in self.trials()]

    def wait(self, timeout: float | None = None) -> Job[Any]:
        """Waits until it has ended; the job of the best trial.

        Raises:
            JobFailed: it failed, or was cancelled.
            TimedOut: it has not ended after so many seconds.
        """
        began = time.monotonic()
        while (state := self.state) is SweepState.RUNNING:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimedOut(f"sweep {self.id} has not ended after {timeout:g} s")
            time.sleep(_PAUSE)
        if state is not SweepState.SUCCEEDED:
            raise JobFailed(f"sweep {self.id} ended as {state}: {self.message}")
        return self.best()

    def cancel(self) -> SweepState:
        """Ends it with all its trials; what they came to stays. Nothing happens to one that has ended."""
        trials = self.trials()
        self._stored.end(SweepState.CANCELLED, "cancelled", best_of(self.spec, trials), trials)
        for job_id in self._stored.unwanted(trials):
            self._get(job_id).cancel()
        return self.state

    def __repr__(self) -> str:
        return f"<Sweep {self.id} of {self.spec.base['kind']} {self.state}>"


class Sweeps:
    """The sweeps of a stack."""

    def __init__(
        self,
        records: Records,
        store: ArtifactStore,
        pinned: Callable[[JobSpec[Any]], tuple[JobSpec[Any], dict[str, str]]],
        get: Callable[[str], Job[Any]],
    ) -> None:
        """Takes what pins the data of a spec, checking what it names, and `Client.get`."""
        self._records, self._store, self._pinned, self._get = records, store, pinned, get

    def start(self, spec: SweepSpec) -> Sweep:
        """Accepts a sweep.

        Raises:
            InvalidSpec: what it is to search does not fit the kind, or names something that is not there.
        """
        first = spec.trial_spec({name: one.corners()[0] for name, one in spec.space.items()})
        _, inputs = self._pinned(first)
        sweep_id = token_hex(8)
        self._store.ensure_bucket()
        self._store.put_json(
            SweepKeys(sweep_id).spec,
            {
                "spec": spec.model_dump(mode="json"),
                "order": list(spec.space),  # JSON in the store has its keys in order; samplers go by ours
                "inputs": inputs,
                "submitted": time.time(),
            },
        )
        self._records.redis.sadd(ACTIVE, sweep_id)
        return self.get(sweep_id)

    def get(self, sweep_id: str) -> Sweep:
        """A sweep by its id, or by enough of its beginning.

        Raises:
            UnknownSweep: there is none, or there are several.
        """
        if re.fullmatch(NAME_PATTERN, sweep_id) and self._store.exists(SweepKeys(sweep_id).spec):
            return Sweep(stored.read(self._store, self._records, sweep_id), self._get)
        found = [each for each in stored.ids(self._store) if each.startswith(sweep_id)] if sweep_id else []
        if len(found) > 1:
            raise UnknownSweep(
                f"several sweeps begin with {sweep_id!r}: {', '.join(found[:3])}; give more of it"
            )
        if not found:
            raise UnknownSweep(f"there is no sweep {sweep_id!r}; `triptych sweeps list` shows them")
        return Sweep(stored.read(self._store, self._records, found[0]), self._get)

    def list(self) -> Sequence[Sweep]:
        """All sweeps, the newest first."""
        found = [stored.read(self._store, self._records, each) for each in stored.ids(self._store)]
        found.sort(key=lambda each: -each.definition.submitted)
        return [Sweep(each, self._get) for each in found]


def sweep_spec(base: JobSpec[Any], space: Mapping[str, AnyRange], fields: Mapping[str, Any]) -> SweepSpec:
    """The spec of a sweep, from the spec of a trial as Python has it.

    Fields of the base that are searched, and, with rungs, `epochs`, are left to the sweep.
    """
    searched = {*space, *(["epochs"] if fields.get("rungs") else [])}
    wire = {name: value for name, value in base.to_wire().items() if name not in searched}
    return checked_sweep(wire, space, fields)


def checked_sweep(
    base: Mapping[str, Any], space: Mapping[str, AnyRange], fields: Mapping[str, Any]
) -> SweepSpec:
    """The spec of a sweep.

    Args:
        base: of every trial, as JSON with `kind`, without the fields that are searched.
        space: these.
        fields: the others of `SweepSpec`.

    Raises:
        InvalidSpec: one sentence on what does not fit.
    """
    try:
        return SweepSpec.model_validate({**fields, "base": dict(base), "space": dict(space)})
    except ValueError as error:
        raise InvalidSpec(f"sweep: {_first_error(error)}") from None


def _first_error(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"field {where!r}: {fault['msg']}, received {fault['input']!r}"


def _row(trial: Trial, spec: SweepSpec) -> dict[str, Any]:
    last = trial.outcomes[-1] if trial.outcomes else None
    values: Iterator[Any] = (each.value for each in reversed(trial.outcomes) if each.value is not None)
    return {
        "trial": trial.number,
        **trial.values,
        "rung": len(trial.outcomes) - 1 if spec.rungs and trial.outcomes else None,
        "job": last.job if last else None,
        "state": last.state if last and last.state else ("REFUSED" if trial.refused else "WAITING"),
        spec.metric: next(values, None),
        "cause": trial.refused or (f"{last.cause}: {last.message}" if last and last.cause else ""),
    }
