"""Judged epochs, the best of them, and the way back to it: exact wherever the training was interrupted."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.checkpoints.file import digest_of_state
from jobs.context import StopReason
from jobs.errors import BadInput, Diverged, Stopped
from jobs.gan.spec import TrainGan
from jobs.local import LocalContext, _write
from jobs.training import Trainable, Trained, train
from jobs.training.best import Best
from jobs.training.pace import Pace
from jobs.training.state import restore, snapshot

SPEC = TrainGan(architecture="mlp", dataset="tiny", epochs=1, seed=3)
EPOCHS, STEPS = 8, 5
LEAST = Best("distance", "min")


class Fitted(Trainable):
    """Draws a weight towards 1 by momentum; an infinite loss at given steps stands for a divergence."""

    def __init__(self, diverges: tuple[int, ...] = (), rate: Any = 0.1) -> None:
        super().__init__(("loss", "distance_now"), name="fitted")
        self.weight = self.add_weight(name="weight", shape=(), initializer="zeros")
        self.sgd = keras.optimizers.SGD(rate, momentum=0.5)
        self.sgd.build([self.weight])
        self._diverges = tf.constant(diverges, tf.int64)

    def optimizers(self) -> list[Any]:
        return [self.sgd]

    def one_step(self, batch: Any, step: Any) -> Any:
        noise = tf.random.stateless_normal((), [3, tf.cast(step, tf.int32)])
        self.sgd.apply([self.weight - 1.0 + 0.1 * noise], [self.weight])
        bad = tf.reduce_any(self._diverges == step)
        self.weight.assign(tf.where(bad, float("nan"), self.weight.value))
        return {
            "loss": tf.where(bad, float("inf"), 0.0),
            "distance_now": tf.abs(self.weight.value - 1.0),
        }


class Chatty(LocalContext):
    """Keeps the stages of its reports; may stop or be killed at a step."""

    stop_at = -1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stages: list[str] = []
        self.said: list[Mapping[str, float]] = []
        self._step = 0

    def report(self, progress: Any) -> None:
        super().report(progress)
        self.stages.append(progress.stage)
        self.said.append(progress.metrics)
        self._step = progress.step

    def should_stop(self) -> StopReason | None:
        return StopReason.DRAIN if self._step == self.stop_at else None


def distances(model: Fitted, given: Mapping[int, float]) -> Callable[[int, int], dict[str, float]]:
    """Judges an epoch by the weight's distance to 1, or by what is given for the epoch."""

    def judge(epoch: int, step: int) -> dict[str, float]:
        if given.get(epoch) == -1:
            raise Diverged(f"training collapsed in epoch {epoch}")
        return {"distance": given.get(epoch, abs(float(model.weight) - 1.0))}

    return judge


def fit(
    folder: Path,
    *,
    diverges: tuple[int, ...] = (),
    given: Mapping[int, float] | None = None,
    chunk: int = 2,
    stop_at: int = -1,
    rollback: bool = True,
    stages: list[str] | None = None,
    checkpoint_seconds: float = 0,
) -> Trained:
    keras.utils.set_random_seed(1)
    _write(folder / "spec.json", json.dumps(SPEC.to_wire()).encode())
    model = Fitted(diverges)
    with type("Stopping", (Chatty,), {"stop_at": stop_at})(folder) as context:
        done = train(
            model,
            {"x": np.zeros((2 * STEPS, 1), np.float32)},
            SPEC,
            context,
            epochs=EPOCHS,
            batch_size=2,
            jit=False,
            pace=Pace(chunk, seconds=0),
            checkpoint_seconds=checkpoint_seconds,
            at_epoch_end=distances(model, given or {}),
            judged=("distance",),
            best=LEAST,
            on_divergence="rollback" if rollback else "fail",
        )
    if stages is not None:
        stages.extend(context.stages)
    return done


@pytest.fixture(autouse=True)
def every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.training.callbacks.REPORT_SECONDS", 0)
    monkeypatch.setattr("jobs.training.callbacks.LONGEST_SILENCE", 0)


def assert_same(one: Trained, other: Trained) -> None:
    assert one.state_sha256 == other.state_sha256
    assert (one.best_step, one.best_value, one.rollbacks) == (
        other.best_step,
        other.best_value,
        other.rollbacks,
    )
    assert one.best is not None
    assert other.best is not None
    assert digest_of_state(one.best) == digest_of_state(other.best)
    np.testing.assert_array_equal(one.judged["distance"], other.judged["distance"])


@pytest.mark.parametrize(("mode", "epoch"), [("min", 1), ("max", 3)])
def test_the_best_epoch_is_the_first_of_equals_and_passes_over_missing_values(mode: Any, epoch: int) -> None:
    values = np.array([np.nan, 1, 2, 3, 1, 3], np.float32)
    assert Best("any", mode).epoch(values) == epoch
    assert Best("any", mode).epoch(np.full(2, np.nan, np.float32)) is None


def test_judgements_are_kept_by_epoch_and_join_the_reports(tmp_path: Path) -> None:
    given = {epoch: float(value) for epoch, value in enumerate((5, 4, 6, 2, 2, 3, 9, 7), start=1)}
    done = fit(tmp_path, given=given)
    np.testing.assert_array_equal(done.judged["distance"], list(given.values()))
    assert (done.best_step, done.best_value, done.rollbacks) == (4 * STEPS, 2.0, 0)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {line["step"] // STEPS: line["distance"] for line in lines if "distance" in line} == given
    # By their names, which Keras hands over in another order.
    assert not done.history["loss"].any()
    assert done.history["distance_now"].all()


def test_the_best_state_is_that_of_its_epoch(tmp_path: Path) -> None:
    given = dict.fromkeys(range(1, EPOCHS + 1), 1.0) | {3: 0.5}
    done = fit(tmp_path, given=given)
    assert done.best is not None
    model = Fitted()
    model.compile(jit_compile=False)
    restore(model, done.best)
    assert int(model.step) == 3 * STEPS
    with pytest.raises(Stopped):
        fit(tmp_path / "stopped", given=given, stop_at=3 * STEPS, chunk=STEPS)
    (newest,) = (tmp_path / "stopped").glob(f"checkpoints/*{3 * STEPS}-0001.safetensors")
    assert digest_of_state(snapshot(model)) == digest_of_state(done.best)
    assert newest.exists()


def test_a_name_that_was_not_declared_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "spec.json", json.dumps(SPEC.to_wire()).encode())
    data = {"x": np.zeros((4, 1), np.float32)}
    with LocalContext(tmp_path) as context:
        with pytest.raises(ValueError, match="returned 'speed'; declare it"):
            train(Fitted(), data, SPEC, context, epochs=1, batch_size=2, at_epoch_end=lambda *_: {"speed": 1})
        with pytest.raises(ValueError, match="'distance', which is not in"):
            train(Fitted(), data, SPEC, context, epochs=1, batch_size=2, best=LEAST)
        with pytest.raises(ValueError, match=r"pass best=Best"):
            train(Fitted(), data, SPEC, context, epochs=1, batch_size=2, on_divergence="rollback")


@pytest.mark.parametrize("stop_at", range(2, EPOCHS * STEPS, 3))
def test_a_training_stopped_anywhere_ends_with_the_same_best(tmp_path: Path, stop_at: int) -> None:
    given = {1: 3.0, 2: 1.0, 3: 2.0, 4: 2.5, 5: 0.5, 6: 4.0, 7: 0.7, 8: 0.6}
    whole = fit(tmp_path / "whole", given=given, chunk=STEPS, checkpoint_seconds=1000)
    with pytest.raises(Stopped):
        fit(tmp_path / "stopped", given=given, chunk=1, stop_at=stop_at)
    assert_same(fit(tmp_path / "stopped", given=given, chunk=3), whole)


#: Diverges within the third epoch and collapses at the end of the sixth.
TROUBLED: dict[str, Any] = {"diverges": (12,), "given": {6: -1.0}}


def test_a_divergence_goes_back_to_the_best_weights_at_half_the_learning_rate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stages: list[str] = []
    with caplog.at_level(logging.WARNING):
        done = fit(tmp_path, **TROUBLED, stages=stages)
    assert done.steps == EPOCHS * STEPS
    assert done.rollbacks == 2
    assert [stage for stage in stages if "back" in stage] == [
        f"epoch {epoch}/8, back to the weights of step {step}, at half the learning rate"
        for epoch, step in ((3, 10), (6, best_before(done, 6)))
    ]
    assert [record.message for record in caplog.records] == [
        "training diverged: distance_now is nan in epoch 3/8, by step 14; a smaller learning rate may help; "
        "goes on from step 15, back to the weights of step 10, at half the learning rate "
        "(1 of at most 3 times)",
        "training collapsed in epoch 6; goes on from step 30, back to the weights of step "
        f"{best_before(done, 6)}, at half the learning rate (2 of at most 3 times)",
    ]
    assert np.isnan(done.history["loss"]).tolist() == [epoch == 2 for epoch in range(EPOCHS)]
    assert np.isnan(done.judged["distance"]).tolist() == [epoch in (2, 5) for epoch in range(EPOCHS)]


def best_before(done: Trained, epoch: int) -> int:
    """Steps done at the end of the best of the epochs before one, counted from 1."""
    best = LEAST.epoch(done.judged["distance"][: epoch - 1])
    assert best is not None
    return (best + 1) * STEPS


def test_a_rollback_restores_all_but_the_step_and_halves_the_learning_rate(tmp_path: Path) -> None:
    done = fit(tmp_path / "a", diverges=(EPOCHS * STEPS - 3,))
    assert done.best is not None
    with LocalContext(tmp_path / "a") as context:
        found = context.load_checkpoint()
    assert found is not None
    for name, array in found.arrays.items():
        if name.startswith("loop/"):
            continue
        if "learning_rate" in name:
            assert float(array) == np.float32(0.05)
        elif name.endswith("/step"):
            assert int(array) == EPOCHS * STEPS
        elif name.endswith("/sums"):
            assert not array.any()
        else:
            np.testing.assert_array_equal(array, done.best[name], err_msg=name)


@pytest.mark.parametrize("stop_at", [9, 10, 11, 15, 16, 21, 29, 30, 31, 39])
def test_a_training_stopped_around_its_rollbacks_ends_like_an_undisturbed_one(
    tmp_path: Path, stop_at: int
) -> None:
    whole = fit(tmp_path / "whole", **TROUBLED, chunk=STEPS, checkpoint_seconds=1000)
    with pytest.raises(Stopped):
        fit(tmp_path / "stopped", **TROUBLED, chunk=1, stop_at=stop_at)
    assert_same(fit(tmp_path / "stopped", **TROUBLED, chunk=4), whole)


def test_a_training_killed_after_a_rollback_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    """A real process that dies by SIGKILL in the epoch after its rollback."""
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.unit import test_divergence as t\n"
        "class Dying(t.Chatty):\n"
        "    def should_stop(self):\n"
        "        if self._step >= 18: self._saving.result(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "t.Chatty = Dying\n"
        "import jobs.training.callbacks as c; c.REPORT_SECONDS = c.LONGEST_SILENCE = 0\n"
        "t.fit(Path(sys.argv[1]), **t.TROUBLED)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "killed")],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert_same(fit(tmp_path / "killed", **TROUBLED), fit(tmp_path / "whole", **TROUBLED))


def test_the_fourth_divergence_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(
        Diverged, match=r"distance_now is nan in epoch 5/8.*; it went back to its best weights 3 times"
    ):
        fit(tmp_path, diverges=(7, 12, 17, 22))


def test_without_a_best_epoch_yet_a_divergence_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"in epoch 1/8.*; there are no best weights to go back to"):
        fit(tmp_path, diverges=(2,))


def test_a_judgement_that_is_not_finite_is_a_divergence(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="distance is nan in epoch 2/8, by step 10"):
        fit(tmp_path / "fails", given={2: float("nan")}, rollback=False)
    assert fit(tmp_path / "goes on", given={2: float("nan")}).rollbacks == 1


def test_a_rollback_refuses_a_learning_rate_that_follows_a_schedule(tmp_path: Path) -> None:
    _write(tmp_path / "spec.json", json.dumps(SPEC.to_wire()).encode())
    model = Fitted(rate=keras.optimizers.schedules.CosineDecay(0.1, 100))
    with LocalContext(tmp_path) as context, pytest.raises(BadInput, match="SGD follows a schedule"):
        train(
            model,
            {"x": np.zeros((4, 1), np.float32)},
            SPEC,
            context,
            epochs=1,
            batch_size=2,
            judged=("distance",),
            best=LEAST,
            on_divergence="rollback",
        )
