"""`verify-resume` on a training whose resume can be broken, and over every kind that trains."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from triptych_trial.spec import Echo, Walk
from typer.testing import CliRunner, Result

from jobs import TrainGeneration, catalog
from jobs.errors import BadInput, InvalidSpec
from jobs.spec import JobSpec
from jobs.verification.kills import Moment
from jobs.verification.verify import AttemptFailed, Start, plan, spawn, trains, verify_resume
from scheduler.cli.commands import app
from tests.zygote import Zygote, kept_by_xla

pytest.importorskip("safetensors")

#: A model that writes texts trained on from a folder: all weights, or adapters of low rank.
TUNING = {
    "dataset": "descriptions",
    "pretrained": "tiny-gpt",
    "epochs": 2,
    "max_length": 64,
    "batch_size": 128,
}
TUNING |= {"seed": 3, "held_out": 0}
TRAINING = [kind for kind, spec in catalog.kinds().items() if trains(spec)]


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Start, Start]]:
    """Two ways to start attempts that import TensorFlow once each, and hash text differently.

    Each keeps what XLA has compiled, for its own attempts: what is compared was never compiled in common.
    """
    if not hasattr(os, "fork") or sys.platform == "darwin":  # Apple's own libraries do not survive it
        yield spawn, spawn
        return
    kept = [kept_by_xla(tmp_path_factory.mktemp("xla")) for _ in range(2)]
    with Zygote("1", kept[0]) as first, Zygote("2", kept[1]) as second:
        yield first, second


def triptych(*words: str) -> Result:
    return CliRunner().invoke(app, ["verify-resume", *words])


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=f"{kind}-{number}")
        for kind in TRAINING
        for number, spec in enumerate(catalog.smallest(kind))
    ]
    + [pytest.param(TUNING | {"adapters": rank}, id=f"tuning-{rank}") for rank in (None, 2)],
)
def test_every_kind_that_trains_ends_the_same_after_three_kills(
    spec: JobSpec[Any] | dict[str, Any],
    tmp_path: Path,
    forks: tuple[Start, Start],
    fewer_pictures: dict[str, Path],
) -> None:
    pytest.importorskip("tensorflow")
    spec = TrainGeneration.model_validate(spec) if isinstance(spec, dict) else spec
    first, second = forks
    found = verify_resume(
        spec, tmp_path, kills=3, seed=3, start=first, data=fewer_pictures, start_killed=second
    )
    assert len(found.deaths) == 3
    assert {death.moment for death in found.deaths} == set(Moment)
    assert found.went_on
    assert found.killed == found.undisturbed
    assert {"final state", "state_sha256"} <= found.undisturbed.keys()


def test_gan_train_is_among_the_kinds_that_train_and_gan_generate_is_not() -> None:
    assert "gan.train" in TRAINING
    assert "gan.generate" not in TRAINING


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_other_steps_find_nothing_either(seed: int, tmp_path: Path) -> None:
    found = verify_resume(Walk(), tmp_path, kills=5, seed=seed)
    assert found.passed, found
    assert all(death.resumed_from < found.steps for death in found.deaths)


@pytest.mark.parametrize("fault", ["unsaved", "unseeded", "order"])
def test_a_resume_that_is_broken_is_found(fault: str, tmp_path: Path) -> None:
    found = verify_resume(Walk(fault=fault), tmp_path, kills=3, seed=1)
    assert found.went_on
    assert not found.passed
    assert "weights" in found.differing
    assert found.killed["final state"] != found.undisturbed["final state"]
    assert found.killed["artifacts/weights.safetensors"] != found.undisturbed["artifacts/weights.safetensors"]


def test_steps_are_done_again_after_a_kill_and_half_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    found = verify_resume(Walk(), tmp_path, kills=6, seed=2)
    assert any(death.resumed_from < death.step for death in found.deaths)
    assert any(death.moment == Moment.SAVING and death.resumed_from for death in found.deaths)
    assert "is passed over" in "".join(path.read_text() for path in tmp_path.glob("killed-*.log"))


def test_an_attempt_that_fails_by_itself_is_no_difference_but_an_error(tmp_path: Path) -> None:
    with pytest.raises(AttemptFailed, match="code 1: ValueError: an unexpected fault"):
        verify_resume(Walk(fault="bug"), tmp_path)


def test_a_kind_that_does_not_train_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a trial\.echo does not train: it saves no checkpoint"):
        verify_resume(Echo(), tmp_path)


def test_runs_of_another_time_are_not_taken_for_these(tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    with pytest.raises(BadInput, match="exists already"):
        verify_resume(Walk(), tmp_path)


def test_the_same_seed_kills_at_the_same_steps_in_their_order() -> None:
    kills = plan(100, 7, seed=4)
    assert kills == plan(100, 7, seed=4)
    assert kills != plan(100, 7, seed=5)
    assert [kill.step for kill in kills] == sorted(kill.step for kill in kills)
    assert {kill.moment for kill in kills} == set(Moment)


def test_a_kind_without_a_smallest_spec_is_told_where_to_give_one() -> None:
    with pytest.raises(InvalidSpec, match=r"triptych_trial\.spec names no spec of trial\.echo in SMALLEST"):
        catalog.smallest("trial.echo")


def test_the_command_prints_kills_and_hashes_and_ends_with_0(tmp_path: Path) -> None:
    words = ("trial.walk", "--steps", "40", "--kills", "2", "--seed-of-kills", "7", "--out", str(tmp_path))
    result = triptych(*words)
    assert result.exit_code == 0, result.output
    assert "--seed-of-kills 7" in result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows[:2]] == ["1", "2"]
    assert all(re.fullmatch(r"\d+ of 40", row[1]) and row[3].startswith("step ") for row in rows[:2])
    assert [row[:2] for row in rows[2:-1]] == [
        ["artifacts/weights.safetensors", "both"],
        ["final state", "both"],
        ["state_sha256", "both"],
    ]
    assert rows[-1] == ["the same, bit for bit"]
    assert json.loads((tmp_path / "killed" / "result.json").read_text())["steps"] == 40


def test_the_command_ends_with_1_and_names_what_differs(tmp_path: Path) -> None:
    spec = tmp_path / "walk.json"
    spec.write_text(json.dumps(Walk(fault="unsaved").to_wire()))
    result = triptych(str(spec), "--seed-of-kills", "1")
    assert result.exit_code == 1
    assert "final state\tundisturbed\t" in result.stdout
    assert "final state\tkilled\t" in result.stdout
    assert "error: the runs differ: momentum, weights" in result.stderr


def test_a_resume_that_always_begins_anew_proves_nothing(tmp_path: Path) -> None:
    # This seed kills between two steps; inside the only one there may be a checkpoint already.
    words = ("trial.walk", "--steps", "1", "--kills", "1", "--seed-of-kills", "1")
    result = triptych(*words, "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "nothing is proved" in result.stderr


def test_the_command_refuses_a_kind_that_does_not_train() -> None:
    result = triptych("gan.generate", "--model", "0123456789abcdef")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("error: a gan.generate does not train")
