"""What is to be done next in a sweep: a pure function of its spec and of what its trials came to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.sweeps.sweep import FAILURES, SweepSpec, SweepState, Trial


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        promote: trials that go on, each with the rung that they go on to.
        ask: how many new trials are to be asked for.
        state: of the sweep.
        message: why it failed.
    """

    promote: Sequence[tuple[int, int]] = ()
    ask: int = 0
    state: SweepState = SweepState.RUNNING
    message: str = ""


def plan(spec: SweepSpec, trials: Sequence[Trial]) -> Plan:
    """The next step.

    Args:
        spec: of the sweep.
        trials: those that were asked for, by number.
    """
    if cause := _same_failure(trials):
        return Plan(state=SweepState.FAILED, message=f"{FAILURES} trials in a row failed with: {cause}")
    if spec.asynchronous:
        return _asynchronous(spec, trials)
    return _synchronous(spec, trials)


def told_before(spec: SweepSpec, number: int, trials: Sequence[Trial]) -> dict[int, float | None]:
    """What the sampler is told before it is asked for a trial, in the order of numbers.

    Of a synchronous sweep these are the trials of all rounds before; else those that have ended by now.
    """
    first = number - number % spec.at_once
    known = trials[:first] if not spec.asynchronous else [trial for trial in trials if trial.ended(0)]
    return {trial.number: trial.value(0) for trial in known}


def ranked(spec: SweepSpec, trials: Sequence[Trial], rung: int) -> list[Trial]:
    """The trials with a value in a rung, the best first, and of equals the one that was asked for first."""
    sign = 1.0 if spec.direction == "min" else -1.0
    there = [trial for trial in trials if trial.value(rung) is not None]
    return sorted(there, key=lambda trial: (sign * (trial.value(rung) or 0.0), trial.number))


def best(spec: SweepSpec, trials: Sequence[Trial]) -> Trial | None:
    """The best trial of the highest rung that any has reached; None if none has a value."""
    for rung in reversed(range(max(1, len(spec.rungs)))):
        if there := ranked(spec, trials, rung):
            return there[0]
    return None


def _synchronous(spec: SweepSpec, trials: Sequence[Trial]) -> Plan:
    if not all(trial.ended(0) for trial in trials):
        return Plan()
    if len(trials) < spec.trials:
        return Plan(ask=min(spec.at_once, spec.trials - len(trials)))
    for rung in range(1, len(spec.rungs)):
        # Those that are to reach it follow from the rung below, which is complete.
        below = ranked(spec, trials, rung - 1)
        chosen = below[: max(1, len(below) // spec.reduction)]
        if missing := [trial.number for trial in chosen if len(trial.outcomes) <= rung and not trial.failed]:
            running = sum(not trial.ended(rung) for trial in chosen if len(trial.outcomes) > rung)
            free = max(0, spec.at_once - running)
            return Plan(promote=[(number, rung) for number in missing[:free]])
        if not all(trial.ended(rung) for trial in chosen):
            return Plan()
    return _ended(spec, trials)


def _asynchronous(spec: SweepSpec, trials: Sequence[Trial]) -> Plan:
    """Li et al. 2020, https://arxiv.org/abs/1810.05934, algorithm 2: the highest rung first, then a trial."""
    running = sum(not trial.failed and not trial.outcomes[-1].ended for trial in trials if trial.outcomes)
    free = spec.at_once - running
    promote: list[tuple[int, int]] = []
    for rung in reversed(range(1, len(spec.rungs))):
        below = ranked(spec, trials, rung - 1)
        chosen = below[: len(below) // spec.reduction]
        ready = [trial.number for trial in chosen if len(trial.outcomes) <= rung and not trial.failed]
        promote += [(number, rung) for number in ready]
    promote = promote[: max(0, free)]
    ask = min(max(0, free - len(promote)), spec.trials - len(trials))
    if promote or ask or running or len(trials) < spec.trials:
        return Plan(promote=promote, ask=ask)
    return _ended(spec, trials)


def _ended(spec: SweepSpec, trials: Sequence[Trial]) -> Plan:
    if best(spec, trials) is None:
        causes = Counter(trial.cause for trial in trials).most_common(1)
        said = f": most of them with: {causes[0][0]}" if causes else ""
        return Plan(state=SweepState.FAILED, message=f"all {len(trials)} trials failed{said}")
    return Plan(state=SweepState.SUCCEEDED)


def _same_failure(trials: Sequence[Trial]) -> str:
    """The cause with which trials failed one after the other, in the order of their numbers, if they did."""
    row: list[str] = []
    for trial in trials:
        if trial.failed:
            row = [*row, trial.cause] if not row or row[-1] == trial.cause else [trial.cause]
            if len(row) >= FAILURES:
                return row[-1] or "no cause"
        elif trial.ended(0):
            row = []
    return ""
