"""A sweep in the store: its spec, the trials that were asked for, how it ended."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs import catalog
from jobs.errors import InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.connection import PREFIX
from scheduler.errors import UnknownArtifact, UnknownJob, UnknownSweep
from scheduler.keys import SWEEPS, JobKeys, SweepKeys
from scheduler.records import Records
from scheduler.references import job_target, set_target
from scheduler.results import Told
from scheduler.states import JobState
from scheduler.sweeps.metrics import metric_in
from scheduler.sweeps.sweep import Outcome, SweepSpec, SweepState, Trial, job_of

#: The ids of the sweeps that have not ended.
ACTIVE = f"{PREFIX}sweeps"
_TRIAL = re.compile(r"(\d{6,})-(\d{2,})\.json")


@dataclass(frozen=True)
class Definition:
    """A sweep as it was submitted.

    Attributes:
        id: of the sweep.
        spec: what is searched.
        inputs: data set name -> digest that all trials are pinned to.
        submitted: seconds since 1970.
    """

    id: str
    spec: SweepSpec
    inputs: Mapping[str, str]
    submitted: float


@dataclass
class StoredSweep:
    """One sweep, read piece by piece: what was read once is not read again.

    Args:
        definition: the sweep.
        store: has it, and the results of its trials.
        records: have its jobs.
    """

    definition: Definition
    store: ArtifactStore
    records: Records
    _entries: dict[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)
    _ended: dict[str, Outcome] = field(default_factory=dict)

    @property
    def keys(self) -> SweepKeys:
        """Its keys."""
        return SweepKeys(self.definition.id)

    def trials(self, *, listed: bool = True) -> list[Trial]:
        """All trials that were asked for, with what they came to by now.

        Args:
            listed: look for trials that others have asked for; not needed by the one that asks for them.
        """
        if listed:
            self._read_entries()
        by_number: dict[int, list[Mapping[str, Any]]] = {}
        for (number, _), entry in sorted(self._entries.items()):
            by_number.setdefault(number, []).append(entry)
        return [self._trial(number, entries) for number, entries in by_number.items()]

    def enter(
        self, number: int, rung: int, values: Mapping[str, Any], refused: str = ""
    ) -> Mapping[str, Any]:
        """Notes that a trial is to run in a rung; what was noted first stands, and is returned."""
        entry = {"values": dict(values), **({"refused": refused} if refused else {})}
        if not self.store.put_new_json(self.keys.trial(number, rung), entry):
            entry = self.store.get_json(self.keys.trial(number, rung))
        self._entries[number, rung] = entry
        return entry

    def under_way(self) -> list[str]:
        """The jobs that had not ended when they were last looked at."""
        jobs = (
            job_of(self.definition.id, *each)
            for each, entry in self._entries.items()
            if not entry.get("refused")
        )
        return [job for job in jobs if job not in self._ended]

    def unwanted(self, trials: Sequence[Trial]) -> list[str]:
        """The jobs that have not ended, once the sweep has: they are to be cancelled."""
        jobs = [each.job for trial in trials for each in trial.outcomes if not each.ended]
        return [job for job in jobs if self.records.knows(job)]

    def missing(self) -> list[tuple[int, int, Mapping[str, Any]]]:
        """Trials that were noted, and whose jobs nobody has submitted yet: number, rung, values."""
        return [
            (number, rung, entry["values"])
            for (number, rung), entry in sorted(self._entries.items())
            if not entry.get("refused")
            and (job := job_of(self.definition.id, number, rung)) not in self._ended
            and not self.records.knows(job)
            and not self.store.exists(JobKeys(job).result)
        ]

    def targets(self) -> list[str]:
        """What nobody may delete while it runs."""
        jobs = [job_target(job_of(self.definition.id, *each)) for each in sorted(self._entries)]
        return [*(set_target(name) for name in self.definition.inputs), *jobs]

    def result(self) -> Mapping[str, Any] | None:
        """How it ended; None while it runs."""
        try:
            found: Mapping[str, Any] = self.store.get_json(self.keys.result)
        except UnknownArtifact:
            return None
        return found

    def end(self, state: SweepState, message: str, best: Trial | None, trials: Sequence[Trial]) -> bool:
        """Notes how it ended; False if that was noted before."""
        result = {
            "state": state,
            "message": message,
            "best": asdict(best) if best else None,
            "trials": [asdict(trial) for trial in trials],
        }
        return self.store.put_new_json(self.keys.result, result)

    def _read_entries(self) -> None:
        for item in self.store.under(self.keys.trials):
            if found := _TRIAL.fullmatch(item.key.rpartition("/")[2]):
                number, rung = int(found[1]), int(found[2])
                if (number, rung) not in self._entries:
                    self._entries[number, rung] = self.store.get_json(item.key)

    def _trial(self, number: int, entries: Sequence[Mapping[str, Any]]) -> Trial:
        refused = str(entries[0].get("refused", ""))
        jobs = [] if refused else [job_of(self.definition.id, number, rung) for rung in range(len(entries))]
        return Trial(number, entries[0]["values"], [self._outcome(job) for job in jobs], refused)

    def _outcome(self, job: str) -> Outcome:
        if job in self._ended:
            return self._ended[job]
        outcome = self._looked_up(job)
        if outcome.ended:
            self._ended[job] = outcome
        return outcome

    def _looked_up(self, job: str) -> Outcome:
        try:
            record = self.records.get(job)
        except UnknownJob:
            # Not submitted yet; or of long ago, with a result in the store.
            told = Told.read(self.store, JobKeys(job))
            return self._with_value(job, told) if told.attempt else Outcome(job)
        if not record.state.final:
            return Outcome(job, state=str(record.state))
        if record.state is JobState.SUCCEEDED:
            return self._with_value(job, Told.read(self.store, JobKeys(job)))
        return Outcome(job, True, None, str(record.cause or record.state), record.message, str(record.state))

    def _with_value(self, job: str, told: Told) -> Outcome:
        metric = self.definition.spec.metric
        value = metric_in(told.result, metric)
        if value is None:
            return Outcome(job, True, None, "NO_VALUE", f"its result has no finite {metric!r}", "SUCCEEDED")
        return Outcome(job, True, value, state="SUCCEEDED")


def read(store: ArtifactStore, records: Records, sweep_id: str) -> StoredSweep:
    """A sweep in the store.

    Raises:
        UnknownSweep: there is none of that id.
        InvalidSpec: its kind is not installed here.
    """
    try:
        data = store.get_json(SweepKeys(sweep_id).spec)
    except (UnknownArtifact, InvalidSpec):
        raise UnknownSweep(f"there is no sweep {sweep_id!r}; `triptych sweeps list` shows them") from None
    catalog.spec_type(data["spec"]["base"]["kind"])
    space = {name: data["spec"]["space"][name] for name in data["order"]}
    spec = SweepSpec.model_validate({**data["spec"], "space": space})
    return StoredSweep(Definition(sweep_id, spec, data["inputs"], data["submitted"]), store, records)


def ids(store: ArtifactStore) -> list[str]:
    """Of all sweeps in the store."""
    try:
        folders = sorted({item.key.split("/")[1] for item in store.under(SWEEPS, recursive=False)})
    except UnknownArtifact:
        return []
    return [
        each for each in folders if store.exists(SweepKeys(each).spec)
    ]  # some stores list emptied folders


def rebuild_sweeps(records: Records, store: ArtifactStore) -> int:
    """Enters the sweeps that have not ended, where Redis has lost its data; how many were entered."""
    unended = [each for each in ids(store) if not store.exists(SweepKeys(each).result)]
    return records.redis.sadd(ACTIVE, *unended) if unended else 0
