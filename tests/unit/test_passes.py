"""Every row has its part in every epoch; a training that was begun by older rules goes on by them."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.errors import Stopped
from jobs.gan.spec import TrainGan
from jobs.local import LocalContext, _write, run_locally
from jobs.selfsupervised.methods.building import build
from jobs.selfsupervised.spec import TrainSelfSupervised
from jobs.spec import JobSpec
from jobs.training import Passes, Start, Trainable, Trained, epoch_order, train
from jobs.training import passes as rules
from jobs.training.pace import Pace
from jobs.transformer.encoder.lengths import ByLength
from jobs.transformer.spec import FineTune

Contexts = Callable[[int | None], type[LocalContext]]
SPEC = TrainGan(architecture="mlp", dataset="tiny", epochs=3, seed=6)


class Seeing(Trainable):
    """Counts how often it sees each of 63 rows."""

    def __init__(self) -> None:
        super().__init__(("loss",), name="seeing")
        self.seen = self.add_weight(name="seen", shape=(63,), initializer="zeros")
        self.sgd = keras.optimizers.SGD(0.1)
        self.sgd.build([self.seen])

    def optimizers(self) -> list[Any]:
        return [self.sgd]

    def one_step(self, batch: Any, step: Any) -> Any:
        self.seen.assign(self.seen + tf.reduce_sum(tf.one_hot(batch["rows"], 63), axis=0))
        return {"loss": tf.reduce_mean(tf.cast(batch["rows"], tf.float32))}


class Unmarked(LocalContext):
    """A job whose checkpoints are of the version before: they say nothing of rules."""

    def load_checkpoint(self) -> Checkpoint | None:
        found = super().load_checkpoint()
        return found and replace(found, metadata={k: v for k, v in found.metadata.items() if k != "rules"})


def seen(folder: Path, context: type[LocalContext] = LocalContext) -> tuple[Trained, Any]:
    folder.mkdir(exist_ok=True)
    _write(folder / "spec.json", json.dumps(SPEC.to_wire()).encode())
    with context(folder) as running:
        model, data = Seeing(), {"rows": np.arange(63, dtype=np.int32)}
        found = train(model, data, SPEC, running, epochs=3, batch_size=32, pace=Pace(1, seconds=0))
    return found, model.seen.numpy()


def test_every_row_comes_in_every_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="jobs.training")
    found, counts = seen(tmp_path / "job")
    assert found.steps == 6
    assert counts.min() == 3  # 63 rows in 2 steps of 32: all of them, and one twice, three times over
    assert counts.sum() == 3 * 64
    assert "63 rows in 2 steps of 32: 1 of them come twice" in caplog.text


@pytest.mark.parametrize(
    ("rows", "batch_size", "steps", "repeated"),
    [(63, 32, 2, 1), (64, 32, 2, 0), (1, 8, 1, 7), (7, 8, 1, 1), (9, 8, 2, 7)],
)
@pytest.mark.parametrize("by_length", [False, True])
def test_a_step_always_has_its_number_of_rows(
    rows: int, batch_size: int, steps: int, repeated: int, by_length: bool
) -> None:
    passes = Passes(rows, batch_size)
    assert (passes.steps, passes.repeated, passes.left_out) == (steps, repeated, 0)
    order = epoch_order(6, 1, rows)
    if by_length:
        order = ByLength(np.arange(1, rows + 1, dtype=np.int32), passes)(6, 1, rows)
    filled = passes.filled(order)
    assert len(filled) == steps * batch_size
    assert set(filled.tolist()) == set(range(rows))


def test_a_last_step_has_no_row_twice_in_it() -> None:
    passes = Passes(63, 32)
    for epoch in range(20):
        steps = passes.filled(epoch_order(6, epoch, 63)).reshape(2, 32)
        assert all(len(set(step.tolist())) == 32 for step in steps)


def test_a_training_begun_by_the_version_before_ends_as_it_would_have_there(
    tmp_path: Path, context_that_stops: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(rules, "RULES", 1)
        old, counts = seen(tmp_path / "old")
        assert (old.steps, counts.sum(), counts.min()) == (3, 96, 0)
        with pytest.raises(Stopped):
            seen(tmp_path / "stopped", context_that_stops(1))
    resumed, _ = seen(tmp_path / "stopped", Unmarked)
    assert resumed.state_sha256 == old.state_sha256
    assert (resumed.steps, resumed.passes.left_out) == (3, 31)
    new, _ = seen(tmp_path / "new")
    assert new.state_sha256 != old.state_sha256


def test_a_training_begun_by_a_later_version_is_left_to_it(tmp_path: Path) -> None:
    class Later(LocalContext):
        def load_checkpoint(self) -> Checkpoint | None:
            return Checkpoint(1, {}, {"rules": "99"})

    with Later(tmp_path) as context, pytest.raises(DamagedCheckpoint, match=r"rules 99.* or a later one"):
        Start.of(context)


TEXTS = tuple(f"{'so ' * (number % 3)}{('good', 'bad')[number % 2]}" for number in range(63))
LABELS = tuple(("good", "bad")[number % 2] for number in range(63))


def fine_tune(**fields: Any) -> FineTune:
    common = {"pretrained": "tiny", "texts": TEXTS, "labels": LABELS, "validation": 0, "test": 0}
    return FineTune.model_validate(common | {"max_length": 8, "epochs": 1, "seed": 6} | fields)


def specs_of_all_techniques() -> list[JobSpec[Any]]:
    return [
        fine_tune(epochs=2),
        TrainGan(
            dataset="images",
            architecture="mlp",
            epochs=2,
            batch_size=32,
            generator_units=(4,),
            judge_every=0,
        ),
        TrainSelfSupervised(
            dataset="images", units=(4,), embedding_dim=2, epochs=2, batch_size=32, validation=17
        ),
    ]


@pytest.mark.parametrize("number", range(3))
def test_every_technique_goes_on_as_it_began(
    number: int,
    tmp_path: Path,
    tiny_data: dict[str, Path],
    context_that_stops: Contexts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = {"images": tiny_data["tiny"]}
    spec = specs_of_all_techniques()[number].model_copy(update={"checkpoint_seconds": 0})
    with monkeypatch.context() as before:
        before.setattr(rules, "RULES", 1)
        old = run_locally(spec, tmp_path / "old", images)
        with pytest.raises(Stopped):
            run_locally(spec, tmp_path / "stopped", images, context=context_that_stops(1))
    resumed = run_locally(spec, tmp_path / "stopped", images, context=Unmarked)
    new = run_locally(spec, tmp_path / "new", images)
    assert resumed.state_sha256 == old.state_sha256 != new.state_sha256
    assert resumed.rows_left_out > 0 == resumed.rows_repeated
    assert new.rows_left_out == 0 < new.rows_repeated
    assert new.steps > old.steps


@pytest.mark.parametrize("batch_size", [1, 8])
def test_class_weights_count_whatever_the_size_of_a_batch(batch_size: int, tmp_path: Path) -> None:
    labels = ("good",) * 12 + ("bad",) * 4
    ends = [
        run_locally(
            fine_tune(texts=TEXTS[:16], labels=labels, class_weights=weights, batch_size=batch_size),
            tmp_path / weights,
        )
        for weights in ("none", "balanced")
    ]
    assert ends[0].state_sha256 != ends[1].state_sha256


def test_fewer_rows_than_a_batch_in_parts_are_one_step_that_has_all_of_them(tmp_path: Path) -> None:
    result = run_locally(fine_tune(batch_size=64, accumulate=4), tmp_path / "job")
    assert (result.steps, result.rows_repeated, result.rows_left_out) == (1, 1, 0)


def test_a_validation_loss_is_of_all_rows_that_were_held_out(tiny_images: Any) -> None:
    spec = TrainSelfSupervised(dataset="tiny", units=(4,), embedding_dim=2, batch_size=32)
    model = build(spec, tiny_images.shape)
    model._judged = lambda images, number: tf.reduce_mean(tf.cast(images[:, 0, 0, 0], tf.float32))
    images = tiny_images.images.copy()
    images[:, 0, 0, 0] = 0
    images[40:, 0, 0, 0] = 255  # none of them is in the first batch
    assert model.validation_loss(images, Start(None, 1)) == 0
    assert model.validation_loss(images, Start(None, 2)) == pytest.approx(255 * 10 / 64)
