"""Trainings that go on: from a finished job's state, or from its weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import catalog
from jobs.checkpoints.file import Checkpoint
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.extending.siblings import Siblings
from jobs.extending.specs import TrainingSpec
from jobs.gan.spec import TrainGan
from jobs.local import run_locally
from jobs.selfsupervised.spec import TrainSelfSupervised
from jobs.spec import JobSpec, Limits
from jobs.training.best import Best
from jobs.training.extending import Every, fitted
from jobs.training.ledger import Ledger
from jobs.verification.verify import trains
from tests.unit.conftest import RecordingContext

#: Smallest specs of every kind that trains, those that can be extended with few epochs at first.
ALL = [spec for kind, type_ in catalog.kinds().items() if trains(type_) for spec in catalog.smallest(kind)]
TRAININGS = [spec for spec in ALL if isinstance(spec, TrainingSpec)]
SHORT, LONG = 2, 5


def with_fields(spec: JobSpec[Any], **fields: Any) -> Any:
    return type(spec).model_validate(
        {**{name: getattr(spec, name) for name in type(spec).model_fields}, **fields}
    )


def left(folder: Path) -> dict[str, bytes]:
    """What a job has left, but for what says how long it took."""
    files = {
        path.name: path.read_bytes()
        for part in ("artifacts", "samples")
        for path in (folder / part).glob("*")
    }
    return {name: content for name, content in files.items() if not name.endswith((".keras", ".json"))}


def state_of(folder: Path) -> str:
    return str(json.loads((folder / "result.json").read_text())["state_sha256"])


def test_every_kind_that_trains_can_be_extended_or_says_why_not() -> None:
    kinds = {spec.kind for spec in TRAININGS}
    assert {"gan.train", "selfsupervised.train", "transformer.finetune"} <= kinds
    for spec in TRAININGS:
        if spec.depends_on_epochs():
            with pytest.raises(InvalidSpec, match=r"cannot be extended, since .* epochs: .*start=one"):
                spec.extended("one", 1_000)
            with pytest.raises(InvalidSpec, match=r"cannot be extended, since .* epochs: .*start=one"):
                with_fields(spec, extends="one").check_extends(spec, None)


EXTENDED = [
    pytest.param(spec, id=f"{spec.kind}-{number}")
    for number, spec in enumerate(TRAININGS)
    if not spec.depends_on_epochs()
    # Two of the four play by the same code as the others.
    and getattr(spec, "architecture", "mlp") in ("mlp", "dcgan")
    and getattr(spec, "method", "") != "fastcut"  # which is CUT with other weights
]


@pytest.mark.parametrize("spec", EXTENDED)
def test_two_epochs_and_three_more_end_with_the_state_of_five(
    spec: TrainingSpec[Any],
    tmp_path: Path,
    context_that_stops: Callable[..., type[RecordingContext]],
    fewer_pictures: dict[str, Path],
) -> None:
    short = with_fields(spec, epochs=SHORT)
    run_locally(short, tmp_path / "short", fewer_pictures)
    longer = short.extended("short", LONG)
    at_once = with_fields(longer, extends=None)
    run_locally(at_once, tmp_path / "at-once", fewer_pictures)

    with pytest.raises(Stopped):
        run_locally(longer, tmp_path / "longer", fewer_pictures, context_that_stops(2))
    run_locally(longer, tmp_path / "longer", fewer_pictures)
    assert state_of(tmp_path / "longer") == state_of(tmp_path / "at-once")
    assert left(tmp_path / "longer") == left(tmp_path / "at-once")
    # And it did not begin anew.
    steps = [
        json.loads(line)["step"] for line in (tmp_path / "longer" / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == sorted(steps)
    found = next(Siblings(tmp_path).checkpoints("longer"))
    assert found.step == LONG * max(steps) // LONG


def test_a_last_epoch_that_was_judged_only_as_the_last_is_never_the_best_of_a_longer_training() -> None:
    def checkpoint(step: int, *judged: float) -> Checkpoint:
        history = np.zeros((len(judged), 1), np.float32)
        arrays = {"loop/history": history, "loop/judged": np.array(judged, np.float32)[:, None]}
        return Checkpoint(step, {**arrays, "loop/rollbacks": np.array(0)})

    def begins_at(*found: Checkpoint) -> tuple[int, list[float]] | None:
        ledger = Ledger(6, 10, ("loss",), ("distance",), Best("distance", "min"))
        fit = next((fit for each in found if (fit := fitted(each, Every(judge=2), ledger)) is not None), None)
        return None if fit is None else (fit.step, fit.arrays["loop/judged"][:, 0].tolist())

    nan = float("nan")
    regular = checkpoint(20, nan, 5.0, nan)
    # Judged in its second epoch as ever, and in its third because that was the last.
    worse, better = checkpoint(30, nan, 5.0, 6.0), checkpoint(30, nan, 5.0, 4.0)
    assert str(begins_at(worse, regular)) == str((30, [nan, 5.0, nan, nan, nan, nan]))
    assert str(begins_at(better, regular)) == str((20, [nan, 5.0, nan, nan, nan, nan]))
    assert begins_at(better) is None


def test_a_spec_that_extends_a_job_differs_from_its_spec_in_nothing_that_changes_the_outcome() -> None:
    earlier = TrainGan(epochs=20, channels=8, limits=Limits(attempts=2))
    longer = earlier.extended("one", 30)
    assert (longer.judge_every, longer.sample_every) == (3, 2)  # as of 20 epochs, not of 30
    with_fields(longer, pool="any", checkpoint_seconds=1.0).check_extends(earlier, None)
    for field, value in (("channels", 16), ("seed", 1), ("judge_every", 4), ("dataset", "digits")):
        with pytest.raises(InvalidSpec, match=rf"'{field}' should be .* as in job one, which it extends"):
            with_fields(longer, **{field: value}).check_extends(earlier, None)
    with pytest.raises(
        InvalidSpec, match="'epochs' should be more than the 20 that job one has, received 20"
    ):
        earlier.extended("one", 20)
    with pytest.raises(InvalidSpec, match="before it has ended: its number of epochs is in its result"):
        TrainGan().extended("one", 20)
    with pytest.raises(
        InvalidSpec, match=r"'extends' takes a job of kind gan.train; job one is a selfsupervised"
    ):
        longer.check_extends(TrainSelfSupervised(), None)
    # Again and again, and with the weights that the first began with.
    assert with_fields(longer, start="zero").extended("two", 40).start == "zero"


def test_a_spec_without_these_fields_is_stored_as_versions_before_stored_it() -> None:
    assert not {"start", "extends"} & TrainGan().to_wire().keys()
    assert TrainGan(start="one").to_wire()["start"] == "one"
    assert catalog.parse(TrainGan(start="one").to_wire()) == TrainGan(start="one")


def test_weights_of_another_job_are_what_a_training_begins_with(tmp_path: Path) -> None:
    spec = TrainSelfSupervised(dataset="digits", units=(6,), embedding_dim=3, epochs=4, batch_size=256)
    first = run_locally(spec, tmp_path / "one")
    again = run_locally(with_fields(spec, start="one"), tmp_path / "two")
    assert again.steps == first.steps  # its own schedule, from the first step on
    assert again.loss < first.loss
    with pytest.raises(BadInput, match="'start': the model of job one is another one"):
        run_locally(with_fields(spec, start="one", units=(7,)), tmp_path / "three")
    with pytest.raises(BadInput, match="there is no job 'none'"):
        run_locally(with_fields(spec, start="none"), tmp_path / "four")
    for path in (tmp_path / "one" / "checkpoints").glob("*"):
        path.unlink()
    for number, field in enumerate(("start", "extends")):
        with pytest.raises(
            BadInput, match=f"job one keeps no checkpoint any more, and field '{field}' needs one"
        ):
            run_locally(
                with_fields(spec.extended("one", 9), **{"extends": None, field: "one"}),
                tmp_path / f"{number}",
            )
