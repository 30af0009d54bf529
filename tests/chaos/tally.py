"""What a chaos run has come to, job by job, and the table that is printed."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler import Client, Job, JobState
from scheduler.keys import JobKeys
from tests.chaos.faults import Fault


@dataclass
class Tally:
    """Counts, and every breach of the promise in a sentence."""

    seed: int
    jobs: int = 0
    divided: int = 0
    seconds: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    states: Counter[JobState] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)  #: why attempts ended without ending their job
    attempts: int = 0
    resumed: int = 0  #: jobs whose last attempt went on from a checkpoint
    passed_over: int = 0  #: damaged checkpoints that attempts found and did not load
    overlaps: int = 0  #: steps of an attempt that was followed already; nothing of them may show
    earlier_results: int = 0  #: results of an attempt that was lost before it could say so
    restarts: int = 0
    breaches: list[str] = field(default_factory=list)

    def judge(self, client: Client, job: Job[object], expected: str, seen: Mapping[str, bytes]) -> None:
        """Looks at one job after the end.

        Args:
            client: a client of the stage.
            job: the job.
            expected: digest of the state that an undisturbed run ends with.
            seen: its objects, by key, as they were when it was first seen to have ended.
        """
        self.jobs += 1
        record = job.record
        self.states[record.state] += 1
        self.attempts += record.attempt
        self.causes.update(attempt["cause"] or attempt["message"] for attempt in job.past_attempts())
        if record.state is not JobState.SUCCEEDED:
            self._breach(job, f"ended as {record.state}: {record.cause} {record.message}")
            return
        keys = JobKeys(job.id)
        for key, content in seen.items():
            if client.store.get(key) != content:
                self._breach(job, f"{key} changed after the job had ended")
        result = json.loads(client.store.get(keys.result))
        if result["result"]["state_sha256"] != expected:
            self._breach(job, "its state is not that of an undisturbed run")
        if result["attempt"] > record.attempt:
            self._breach(job, f"its result is of attempt {result['attempt']}, its record of {record.attempt}")
        self.earlier_results += result["attempt"] < record.attempt
        self.resumed += result["result"]["resumed_from"] > 0
        steps = [line["step"] for line in job.metrics()]
        if steps != list(range(1, record.spec["steps"] + 1)):
            self._breach(job, f"its metrics have the steps {steps}")
        self.passed_over += sum(
            client.store.get(item.key).count(b"is passed over") for item in client.store.under(keys.logs)
        )
        self.overlaps += overlaps(Path(record.spec["journal"]))

    def judge_divided(
        self, client: Client, job: Job[object], expected: bytes, seen: Mapping[str, bytes]
    ) -> None:
        """Compares a divided job that has ended with what it has to be.

        Args:
            client: of the stage.
            job: the job.
            expected: the file that an undivided and undisturbed job leaves.
            seen: its objects, by key, as they were when it was first seen to have ended.
        """
        self.divided += 1
        record = job.record
        self.attempts += record.attempt + sum(part.attempt for part in job.parts())
        if record.state is not JobState.SUCCEEDED:
            self._breach(job, f"ended as {record.state}: {record.cause} {record.message}")
            return
        for key, content in seen.items():
            if client.store.get(key) != content:
                self._breach(job, f"{key} changed after the job had ended")
        if job.artifact("rows.bin") != expected:
            self._breach(job, "its parts together are not the undivided job")
        states = {part.state for part in job.parts()}
        if states != {JobState.SUCCEEDED}:
            self._breach(job, f"its parts ended as {states}")

    def expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self.breaches.append(otherwise)

    def _breach(self, job: Job[object], what: str) -> None:
        self.breaches.append(f"job {job.id}: {what}")

    def table(self) -> str:
        """Everything for a person."""
        rows: list[tuple[str, object]] = [(fault, self.faults[fault]) for fault in Fault]
        rows += [("faults in all", self.faults.total()), ("processes started again", self.restarts)]
        rows += [
            ("jobs", self.jobs),
            ("divided jobs", self.divided),
            *((f"jobs {state}", count) for state, count in self.states.items()),
        ]
        rows += [("attempts", self.attempts)]
        rows += [(f"attempts ended by: {cause}", count) for cause, count in self.causes.most_common()]
        rows += [
            ("jobs that ended on a resumed attempt", self.resumed),
            ("damaged checkpoints passed over", self.passed_over),
            ("results of an attempt before the last", self.earlier_results),
            ("steps done by an attempt already followed", self.overlaps),
            ("breaches of the promise", len(self.breaches)),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"chaos: seed {self.seed}, {self.seconds:.0f} s"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, *(f"  ! {breach}" for breach in self.breaches)])


def overlaps(journal: Path) -> int:
    """Steps that a process did after another one had begun: attempts of one job that ran at once."""
    found, begun, newest = 0, set[str](), ""
    for line in journal.read_text().splitlines():
        process = line.split()[0]
        if process != newest and process in begun:
            found += 1
        else:
            begun.add(process)
            newest = process
    return found
