"""Proving that a kind resumes exactly: a job run undisturbed, and the same job killed again and again.

Every attempt is a process of its own (`jobs.verification.victim`), ended by SIGKILL between its steps, in
the middle of them, or while it writes a checkpoint. Both jobs must end with the same state, bit for bit.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from jobs.catalog import AnySpec
from jobs.checkpoints import file as checkpoint
from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint, digest_of_spec, digest_of_state
from jobs.errors import BadInput, TriptychError
from jobs.spec import JobSpec
from jobs.verification.kills import DIARY, Assignment, Kill, Moment

UNDISTURBED = "undisturbed"
KILLED = "killed"

#: Runs an attempt in a process of its own, its output in a log; returns the exit code, negative for a signal.
Start = Callable[[Assignment, Path], int]


class AttemptFailed(TriptychError):
    """An attempt ended in another way than it should have."""


@dataclass(frozen=True)
class Death:
    """One kill, and what came after it."""

    step: int  #: the last step that was reported
    moment: str  #: where in its work it was killed
    resumed_from: int  #: the step from which the next attempt went on; 0 = from the beginning


@dataclass(frozen=True)
class Verification:
    """What the comparison has come to."""

    steps: int
    deaths: tuple[Death, ...]
    undisturbed: Mapping[str, str]  #: SHA-256 by name: the final state, and each artifact that is compared
    killed: Mapping[str, str]
    differing: tuple[str, ...]  #: the arrays of the final state that differ

    @property
    def went_on(self) -> bool:
        """Whether any attempt went on from a checkpoint; if none did, nothing was proved."""
        return any(death.resumed_from for death in self.deaths)

    @property
    def passed(self) -> bool:
        """Whether both ended with the same, and some attempt went on from a checkpoint."""
        return self.went_on and self.undisturbed == self.killed


def trains(kind: type[AnySpec]) -> bool:
    """Whether jobs of a kind have a state that an attempt can go on from: their result has its digest."""
    return "state_sha256" in kind.result_type.model_fields


def verify_resume(
    spec: JobSpec[Any],
    folder: Path,
    data: Mapping[str, Path] | None = None,
    *,
    kills: int = 3,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
    start: Start | None = None,
    start_killed: Start | None = None,
) -> Verification:
    """Runs a spec undisturbed and killed, and compares the two.

    Of a kind with a field `checkpoint_seconds`, checkpoints are saved as often as the loop allows.

    Args:
        spec: what to compute.
        folder: the jobs' folders are made in it: `undisturbed` and `killed`, with a log of each attempt.
        data: paths of data sets by name.
        kills: how often the second job is killed.
        seed: the same seed kills at the same steps.
        tell: called with a line for people at each turn.
        start: runs an attempt; a new interpreter each time if not given.
        start_killed: runs those of the second job, if in another way.

    Raises:
        BadInput: the kind does not train, or the folder holds such jobs already.
        AttemptFailed: an attempt failed by itself.
    """
    if not trains(type(spec)):
        raise BadInput(f"a {spec.kind} does not train: it saves no checkpoint, so there is nothing to resume")
    for name in (UNDISTURBED, KILLED):
        if (folder / name).exists():
            raise BadInput(f"{folder / name} exists already; choose another folder, or remove it")
    if "checkpoint_seconds" in type(spec).model_fields:
        spec = spec.model_copy(update={"checkpoint_seconds": 0.0})
    start = start or spawn
    attempts = _Attempts(spec, folder, dict(data or {}), {UNDISTURBED: start, KILLED: start_killed or start})
    tell("undisturbed")
    attempts.run(UNDISTURBED)
    steps = _steps(folder / UNDISTURBED)
    for kill in plan(steps, kills, seed):
        attempts.run(KILLED, kill)
        death = _diary(folder / KILLED)[-1]
        tell(f"killed at step {death['killed_at']} of {steps}, {death['moment']}")
    tell("to the end")
    attempts.run(KILLED)
    states = [_final_state(folder / name, spec) for name in (UNDISTURBED, KILLED)]
    return Verification(
        steps=steps,
        deaths=_deaths(folder / KILLED),
        undisturbed=_hashes(folder / UNDISTURBED, states[0]),
        killed=_hashes(folder / KILLED, states[1]),
        differing=_differing(*states),
    )


def plan(steps: int, kills: int, seed: int) -> list[Kill]:
    """The kills, in the order of their steps; each moment of the work has its turn."""
    draws = random.Random(seed)
    moments = draws.sample(list(Moment), len(Moment))
    at = sorted(draws.randint(1, max(steps - 1, 1)) for _ in range(kills))
    return [
        Kill(step, moments[number % len(moments)], draws.uniform(0.05, 0.95))
        for number, step in enumerate(at)
    ]


def spawn(assignment: Assignment, log: Path) -> int:
    """Runs an attempt in a new interpreter."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.verification.victim", assignment.to_json()],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
        )
        try:
            return process.wait()
        finally:
            process.kill()  # only has something to do when this very process is interrupted


class _Attempts:
    """Starts the processes, one after the other."""

    def __init__(
        self, spec: AnySpec, folder: Path, data: Mapping[str, Path], start: Mapping[str, Start]
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._start = start
        self._data = {name: str(path.absolute()) for name, path in data.items()}
        self._started = 0

    def run(self, name: str, kill: Kill | None = None) -> None:
        """Runs an attempt to its end, natural or not.

        Raises:
            AttemptFailed: it ended in another way than it should have.
        """
        self._started += 1
        job = self._folder / name
        job.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{name}-{self._started}.log"
        assignment = Assignment(
            self._spec.to_wire(), str(job.absolute()), self._data, asdict(kill) if kill else None
        )
        code = self._start[name](assignment, log)
        killed = "killed_at" in (_diary(job) or [{}])[-1]
        if code != (-signal.SIGKILL if kill else 0) or killed != (kill is not None):
            last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise AttemptFailed(f"an attempt ended by itself with code {code}: {last} [log: {log}]")


def _diary(job: Path) -> list[dict[str, Any]]:
    path = job / DIARY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _deaths(job: Path) -> tuple[Death, ...]:
    lines = _diary(job)
    return tuple(
        Death(line["killed_at"], line["moment"], after["resumed_from"])
        for line, after in pairwise(lines)
        if "killed_at" in line
    )


def _steps(job: Path) -> int:
    try:
        return int(json.loads((job / "metrics.jsonl").read_text().splitlines()[-1])["step"])
    except (OSError, IndexError):
        raise BadInput("the job reported no step, so there is none to be killed at") from None


def _final_state(job: Path, spec: AnySpec) -> Checkpoint:
    found = []
    for path in (job / "checkpoints").glob("[0-9]*.safetensors"):
        try:
            found.append(checkpoint.read(path, digest_of_spec(spec)))
        except DamagedCheckpoint:
            continue  # what a kill has left
    if not found:
        raise BadInput(f"the job saved no checkpoint of its end, so there is nothing to compare: {job}")
    return max(found, key=lambda each: each.step)


def _hashes(job: Path, state: Checkpoint) -> dict[str, str]:
    result = json.loads((job / "result.json").read_text())
    # What holds times or dates (an archive, a result) differs between any two runs; weights must not.
    files = sorted((job / "artifacts").rglob("*.safetensors"))
    return {
        "final state": digest_of_state(state.arrays),
        "state_sha256": result["state_sha256"],
        **{str(path.relative_to(job)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def _differing(first: Checkpoint, second: Checkpoint) -> tuple[str, ...]:
    names = sorted({*first.arrays, *second.arrays})
    return tuple(
        name
        for name in names
        if digest_of_state({"": first.arrays[name]} if name in first.arrays else {})
        != digest_of_state({"": second.arrays[name]} if name in second.arrays else {})
    )
