"""Trainings that end early, and orders of their own: exact wherever they were interrupted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.errors import Stopped
from jobs.gan.spec import TrainGan
from jobs.local import LocalContext, _write
from jobs.training import Trainable, Trained, epoch_order, train
from jobs.training.best import Best
from jobs.training.pace import Pace

SPEC = TrainGan(architecture="mlp", dataset="tiny", epochs=1, seed=3)
#: What the epochs are judged by: the third is the best.
JUDGEMENTS = [3.0, 2.0, 1.0, 1.5, 1.0, 0.5, 0.1]


class Summing(Trainable):
    """Moves a weight by the rows that it sees, so that their order shows in it."""

    def __init__(self) -> None:
        super().__init__(("loss",), name="summing")
        self.weight = self.add_weight(name="weight", shape=(), initializer="zeros")
        self.sgd = keras.optimizers.SGD(0.1)
        self.sgd.build([self.weight])

    def optimizers(self) -> list[Any]:
        return [self.sgd]

    def one_step(self, batch: Any, step: Any) -> Any:
        mean = tf.reduce_mean(tf.cast(batch["rows"], tf.float32))
        self.weight.assign(0.9 * self.weight + mean)
        return {"loss": mean}


def trained(folder: Path, context: type[LocalContext] = LocalContext, **keywords: Any) -> Trained:
    folder.mkdir(exist_ok=True)
    _write(folder / "spec.json", json.dumps(SPEC.to_wire()).encode())
    with context(folder) as running:
        return train(
            Summing(),
            {"rows": np.arange(12, dtype=np.int32)},
            SPEC,
            running,
            epochs=7,
            batch_size=4,
            pace=Pace(1, seconds=0),
            at_epoch_end=lambda epoch, step: {"distance": JUDGEMENTS[epoch - 1]},
            judged=("distance",),
            best=Best("distance", "min"),
            **keywords,
        )


def test_a_training_ends_after_so_many_epochs_without_a_better_one(tmp_path: Path) -> None:
    found = trained(tmp_path / "job", patience=2)
    assert found.steps == 5 * 3
    assert (found.best_step, found.best_value) == (3 * 3, 1.0)
    assert np.isnan(found.history["loss"][5:]).all()


def test_one_that_ended_early_does_not_go_on_when_it_is_started_again(tmp_path: Path) -> None:
    first, again = (trained(tmp_path / "job", patience=2) for _ in range(2))
    assert again.steps == first.steps
    assert again.state_sha256 == first.state_sha256


def test_without_patience_it_goes_on_to_the_end(tmp_path: Path) -> None:
    assert trained(tmp_path / "job").steps == 7 * 3
    assert trained(tmp_path / "patient", patience=5).steps == 7 * 3


@pytest.mark.parametrize("chunks", [2, 8, 14])
def test_a_stopped_one_ends_at_the_same_epoch(
    chunks: int, tmp_path: Path, context_that_stops: Callable[[int], type[LocalContext]]
) -> None:
    whole = trained(tmp_path / "whole", patience=2)
    with pytest.raises(Stopped):
        trained(tmp_path / "stopped", context_that_stops(chunks), patience=2)
    assert trained(tmp_path / "stopped", patience=2).state_sha256 == whole.state_sha256


def test_patience_without_a_best_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pass best="):
        train(
            Summing(),
            {"rows": np.arange(4, dtype=np.int32)},
            SPEC,
            LocalContext(tmp_path),
            epochs=1,
            batch_size=2,
            patience=1,
        )


def test_rows_come_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    found = trained(tmp_path / "job", order=lambda seed, epoch, count: np.arange(count, dtype=np.int32))
    np.testing.assert_allclose(found.history["loss"], 5.5)
    backwards = trained(
        tmp_path / "other", order=lambda seed, epoch, count: np.arange(12, dtype=np.int32)[::-1]
    )
    assert backwards.state_sha256 != found.state_sha256
    usual = trained(tmp_path / "usual", order=epoch_order)
    assert usual.state_sha256 == trained(tmp_path / "default").state_sha256
