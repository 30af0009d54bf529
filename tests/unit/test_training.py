"""Exactness of the training loop: on a small GAN, compiled, and on a model with Keras's own random layers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.checkpoints.file import Checkpoint, digest_of_state
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import Diverged, Stopped
from jobs.gan.models import DenseGan, build_gan
from jobs.gan.spec import GanResult, TrainGan
from jobs.local import LocalContext, _write, run_locally
from jobs.training import Passes, Trainable, Trained, epoch_order, train
from jobs.training.callbacks import Advance, Save
from jobs.training.pace import Pace
from jobs.training.state import restore, snapshot, variables

Contexts = Callable[[int | None], type[LocalContext]]

SPEC = TrainGan(
    architecture="mlp",
    dataset="tiny",
    epochs=4,
    batch_size=8,
    latent_dim=5,
    generator_units=(7,),
    discriminator_units=(6,),
    seed=3,
)


def trained(
    images: ImageSet, folder: Path, chunk: int, context: type[LocalContext] = LocalContext, jit: bool = True
) -> Trained:
    """Trains `SPEC` in chunks of a fixed length, for 7 steps an epoch, the last of which 6 rows fill up."""
    folder.mkdir(exist_ok=True)
    _write(folder / "spec.json", json.dumps(SPEC.to_wire()).encode())
    keras.utils.set_random_seed(SPEC.seed)
    with context(folder) as running:
        return train(
            build_gan(SPEC, images.shape),
            {"images": images.images},
            SPEC,
            running,
            epochs=4,
            batch_size=8,
            jit=jit,
            pace=Pace(chunk, seconds=0),
        )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    random = np.random.default_rng(1)
    labels = np.arange(50, dtype=np.int64) % 2
    images = random.integers(0, 60, (50, 6, 5, 1), dtype=np.uint8)
    images[labels == 0, :, :2] += 180
    images[labels == 1, :, 3:] += 180
    return trained(ImageSet(images), tmp_path_factory.mktemp("undisturbed"), chunk=6)


@pytest.mark.parametrize("chunk", [1, 4])
def test_the_result_does_not_depend_on_where_the_chunks_are_cut(
    chunk: int, tiny_images: ImageSet, tmp_path: Path, undisturbed: Trained
) -> None:
    again = trained(tiny_images, tmp_path, chunk)
    assert again.state_sha256 == undisturbed.state_sha256
    np.testing.assert_array_equal(again.history["g_loss"], undisturbed.history["g_loss"])


@pytest.mark.parametrize("chunks_before_the_stop", [1, 5])
def test_a_stopped_training_ends_like_an_undisturbed_one(
    chunks_before_the_stop: int,
    tiny_images: ImageSet,
    tmp_path: Path,
    undisturbed: Trained,
    context_that_stops: Contexts,
) -> None:
    with pytest.raises(Stopped, match="drain"):
        trained(tiny_images, tmp_path, 4, context_that_stops(chunks_before_the_stop))
    again = trained(tiny_images, tmp_path, 5)
    assert again.steps == undisturbed.steps == 28
    assert again.state_sha256 == undisturbed.state_sha256
    np.testing.assert_array_equal(again.history["d_loss"], undisturbed.history["d_loss"])


class Denoiser(Trainable):
    """Has every sort of state there is: dropout's seed, a metric of Keras's, moments of an optimizer."""

    def __init__(self) -> None:
        super().__init__(("loss",), name="denoiser")
        self.layer = keras.layers.Dense(5, name="layer")
        self.dropout = keras.layers.Dropout(0.5, seed=9)
        self.seen = keras.metrics.Mean(name="seen")
        self.layer.build((None, 5))
        self.optimizer_of_layer = keras.optimizers.Adam(0.01)
        self.optimizer_of_layer.build(self.layer.trainable_variables)

    def optimizers(self) -> list[Any]:
        return [self.optimizer_of_layer]

    def one_step(self, batch: Any, step: Any) -> Any:
        images = tf.reduce_mean(tf.cast(batch["images"], tf.float32), axis=[1, 3]) / 255.0
        weights = self.layer.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.layer(self.dropout(images, training=True)) - images) ** 2)
        self.optimizer_of_layer.apply(tape.gradient(loss, weights), weights)
        self.seen.update_state(loss)
        return {"loss": loss}


def test_a_training_stopped_after_every_chunk_ends_like_an_undisturbed_one(
    tiny_images: ImageSet, tmp_path: Path, context_that_stops: Contexts
) -> None:
    def denoise(folder: Path, chunk: int, context: type[LocalContext] = LocalContext) -> Trained:
        keras.utils.set_random_seed(0)
        with context_in(folder, context) as running:
            pace, data = Pace(chunk, seconds=0), {"images": tiny_images.images}
            return train(Denoiser(), data, SPEC, running, epochs=4, batch_size=8, jit=False, pace=pace)

    whole = denoise(tmp_path / "whole", chunk=6)
    stops = 0
    while True:
        try:
            resumed = denoise(tmp_path / "stopped", 5, context_that_stops(1))
            break
        except Stopped:
            stops += 1
    assert stops == 7  # 28 steps in epochs of 7 are chunks of 5 and 2, the last of which ends the run
    assert resumed.state_sha256 == whole.state_sha256
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"])


def test_dropping_any_part_of_the_state_is_noticed() -> None:
    """The comparisons above are worth something only if the digest sees every variable."""
    state = snapshot(Denoiser())
    whole = digest_of_state(state)
    assert {name.split("/")[0] for name in state} == {"model", "metric", "optimizer-0"}
    for part in ("kernel", "seed", "seen", "step", "sums", "iteration", "momentum", "velocity"):
        assert any(part in name for name in state), part
    for name, array in state.items():
        changed = array.copy()
        changed.reshape(-1).view(np.uint8)[0] ^= 1
        assert digest_of_state({**state, name: changed}) != whole


def test_a_finished_training_is_not_trained_again(
    tiny_images: ImageSet, tmp_path: Path, undisturbed: Trained
) -> None:
    trained(tiny_images, tmp_path, 6)
    again = trained(tiny_images, tmp_path, 6)
    assert again.steps_per_second == 0
    assert again.state_sha256 == undisturbed.state_sha256


def test_a_short_chunk_compiles_nothing_anew(tiny_images: ImageSet, tmp_path: Path) -> None:
    traced = 0

    class Counting(DenseGan):
        def train_step(self, chunk: Any) -> Any:
            nonlocal traced
            traced += 1
            return super().train_step(chunk)

    _write(tmp_path / "spec.json", json.dumps(SPEC.to_wire()).encode())
    with LocalContext(tmp_path) as context:
        model = Counting(SPEC, tiny_images.shape)
        data = {"images": tiny_images.images}
        train(model, data, SPEC, context, epochs=3, batch_size=8, pace=Pace(5, seconds=0))
    assert traced == 1


def test_a_snapshot_stays_as_it_is_while_training_goes_on(tiny_images: ImageSet) -> None:
    model = build_gan(SPEC, tiny_images.shape)
    model.place({"images": tiny_images.images}, Passes(50, 8))
    taken = snapshot(model)
    before = digest_of_state(taken)
    step = tf.function(model.train_step, jit_compile=True)
    step((tf.range(50), tf.constant(0, tf.int64), tf.constant(6, tf.int64)))
    assert digest_of_state(snapshot(model)) != before
    assert digest_of_state(taken) == before


def test_names_of_variables_are_the_same_for_every_instance(tiny_images: ImageSet) -> None:
    first, second = (list(variables(build_gan(SPEC, tiny_images.shape))) for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_a_state_of_another_model_is_refused_whole(tiny_images: ImageSet) -> None:
    model = build_gan(SPEC, tiny_images.shape)
    before = digest_of_state(snapshot(model))
    wider = build_gan(SPEC.model_copy(update={"generator_units": (8,)}), tiny_images.shape)
    with pytest.raises(Exception, match="does not fit"):
        restore(model, snapshot(wider))
    assert digest_of_state(snapshot(model)) == before


def test_the_order_of_the_data_follows_from_seed_and_epoch_alone() -> None:
    assert sorted(epoch_order(0, 0, 100)) == list(range(100))
    np.testing.assert_array_equal(epoch_order(5, 2, 100), epoch_order(5, 2, 100))
    assert (epoch_order(5, 2, 100) != epoch_order(5, 3, 100)).any()
    assert (epoch_order(5, 2, 100) != epoch_order(6, 2, 100)).any()


def test_going_on_with_another_number_of_threads_is_said_once(
    tmp_path: Path,
    context_that_stops: Contexts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    for _ in range(2):
        with context_in(tmp_path, context_that_stops(1)) as context, pytest.raises(Stopped):
            fit(Counting(), context)
    # Where it goes on is always said; nothing else is, as nothing differs.
    assert [line for line in caplog.messages if not line.startswith("goes on from step")] == []
    caplog.clear()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    with context_in(tmp_path, LocalContext) as context:
        fit(Counting(), context)
    (line,) = (line for line in caplog.messages if not line.startswith("goes on from step"))
    assert "saved with threads 1, this attempt runs with threads 2" in line


class Exploding(Trainable):
    """Its metric becomes infinite at step 7."""

    def __init__(self) -> None:
        super().__init__(("loss",), name="exploding")

    def optimizers(self) -> list[Any]:
        return []

    def one_step(self, batch: Any, step: Any) -> Any:
        return {"loss": tf.where(step == 7, np.float32("inf"), tf.cast(step, tf.float32))}


class Counting(Exploding):
    """Its metric is the number of the step."""

    def one_step(self, batch: Any, step: Any) -> Any:
        return {"loss": tf.cast(step, tf.float32)}


def fit(model: Trainable, context: LocalContext, count: int = 10, epochs: int = 5, chunk: int = 2) -> Trained:
    data = {"x": np.zeros((count, 1), np.float32)}
    pace = Pace(chunk, seconds=0)
    return train(model, data, SPEC, context, epochs=epochs, batch_size=2, jit=False, pace=pace)


def context_in(folder: Path, kind: Any) -> Any:
    _write(folder / "spec.json", json.dumps(SPEC.to_wire()).encode())
    return kind(folder)


def test_a_loss_that_is_not_finite_ends_the_training_with_one_sentence(tmp_path: Path) -> None:
    with (
        context_in(tmp_path, LocalContext) as context,
        pytest.raises(Diverged, match=r"loss is inf in epoch 2/5, by step 9; a smaller learning rate"),
    ):
        fit(Exploding(), context)
    assert not (tmp_path / "checkpoints").exists()


def test_history_holds_the_mean_of_each_epoch(tmp_path: Path) -> None:
    with context_in(tmp_path, LocalContext) as context:
        done = fit(Counting(), context)
    np.testing.assert_array_equal(done.history["loss"], [2, 7, 12, 17, 22])


def test_reports_name_the_epoch_and_their_steps_only_grow(
    tmp_path: Path, context_that_stops: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.training.callbacks.REPORT_SECONDS", 0)
    with context_in(tmp_path, context_that_stops(None)) as context:
        fit(Counting(), context, chunk=5)
    assert [report.stage for report in context.reports] == [f"epoch {n}/5" for n in range(1, 6)]
    assert [report.step for report in context.reports] == [5, 10, 15, 20, 25]
    assert context.reports[0].metrics == {"loss": 2.0}
    assert context.reports[1].eta_seconds is not None
    assert context.reports[-1].eta_seconds == 0


def test_short_epochs_are_reported_twice_a_second_at_most(
    tmp_path: Path, context_that_stops: Contexts
) -> None:
    started = time.monotonic()
    with context_in(tmp_path, context_that_stops(None)) as context:
        fit(Counting(), context, epochs=100)
    assert 2 <= len(context.reports) <= 2 + 2 * (time.monotonic() - started)


def test_the_last_chunk_is_reported_even_in_a_hurry(tmp_path: Path, context_that_stops: Contexts) -> None:
    with context_in(tmp_path, context_that_stops(None)) as context:
        fit(Counting(), context)
    assert context.reports[-1].step == context.reports[-1].total == 25


def test_a_periodic_checkpoint_is_skipped_while_one_is_in_flight(tmp_path: Path) -> None:
    saved = []

    class Slow(LocalContext):
        def save_checkpoint(self, checkpoint: Any) -> None:
            saved.append(checkpoint.step)

        def checkpoint_in_flight(self) -> bool:
            return 0 < len(saved) < 2 and self.busy()

        def busy(self) -> bool:
            self.asked = getattr(self, "asked", 0) + 1
            return self.asked < 4

    with context_in(tmp_path, Slow) as context:
        data = {"x": np.zeros((10, 1), np.float32)}
        pace = Pace(5, seconds=0)
        train(
            Counting(),
            data,
            SPEC,
            context,
            epochs=6,
            batch_size=2,
            jit=False,
            pace=pace,
            checkpoint_seconds=0,
        )
    assert saved == [5, 25, 30, 30]


@pytest.mark.parametrize(
    ("epoch_seconds", "saved"),
    [
        (0.1, [29.9, 59.9]),  # as seldom as without epochs
        (7, [28, 56]),
        (20, [20, 40, 60]),
        (40, [30, 60, 80]),  # one of 10 s before is near enough to 40
        (50, [30, 50, 80]),
        (1000, [30, 60, 90]),
    ],
)
def test_checkpoints_fall_on_ends_of_epochs_where_these_are_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch_seconds: float, saved: list[float]
) -> None:
    now, times = 0.0, []
    monkeypatch.setattr("jobs.training.callbacks.time.monotonic", lambda: now)

    class Noting(LocalContext):
        def save_checkpoint(self, checkpoint: Any) -> None:
            times.append(now)

    chunks_an_epoch = max(1, round(epoch_seconds * 2))
    advance = Advance(chunks_an_epoch, epochs=1_000)
    with context_in(tmp_path, Noting) as context:
        save = Save(advance, lambda: Checkpoint(advance.step, {}), context, 30)
        while len(times) < len(saved):
            advance.step += 1
            now = round(advance.step * epoch_seconds / chunks_an_epoch, 6)
            save.on_train_batch_end(0)
    np.testing.assert_allclose(times, saved, atol=0.11)


def test_the_pace_finds_a_length_that_takes_the_wanted_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("jobs.training.pace.time.monotonic", lambda: now)
    pace = Pace(steps=8, seconds=0.2)
    pace.set_model(Counting())
    for chunk in range(6):
        pace.on_train_batch_begin(chunk)
        pace.model.step.assign_add(pace.steps)
        now += pace.steps * 0.002 + (3 if chunk == 0 else 0)
        pace.on_train_batch_end(chunk)
    assert pace.steps == 100


def test_advance_knows_epochs() -> None:
    advance = Advance(steps_per_epoch=6, epochs=4)
    advance.step = 6
    assert (advance.stage, advance.at_epoch_end, advance.epochs_done) == ("epoch 1/4", True, 1)
    advance.step = 7
    assert (advance.stage, advance.at_epoch_end, advance.epochs_done) == ("epoch 2/4", False, 1)


def test_a_killed_process_ends_like_an_undisturbed_one(tiny_data: dict[str, Path], tmp_path: Path) -> None:
    """Two real processes: the first dies by SIGKILL in the middle of training, the second goes on."""
    spec = SPEC.model_copy(update={"epochs": 200, "checkpoint_seconds": 0.0, "sample_every": 1000})
    program = (
        "import json, sys; from pathlib import Path; from jobs import catalog; from jobs.local import *\n"
        "spec = catalog.parse(json.loads(sys.argv[1]))\n"
        "print(run_locally(spec, Path(sys.argv[2]), {'tiny': Path(sys.argv[3])}).state_sha256)"
    )
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", program, json.dumps(spec.to_wire()), str(folder), str(tiny_data["tiny"])]
    victim = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(folder.glob("checkpoints/[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert list(folder.glob("checkpoints/[0-9]*"))
    assert not (folder / "result.json").exists()
    resumed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    whole: GanResult = run_locally(spec, tmp_path / "whole", tiny_data)
    assert resumed == whole.state_sha256
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == whole.steps
