"""What is looked at while a GAN trains: the filmstrip, the best generator, collapse."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

pytest.importorskip("tensorflow")

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Diverged, InvalidSpec, Stopped
from jobs.gan import watching
from jobs.gan.measures.judge import Judge, Look
from jobs.gan.spec import TrainGan
from jobs.gan.watching import looks_every
from jobs.local import LocalContext, run_locally

Contexts = Callable[[int | None], type[LocalContext]]

SPEC = TrainGan(
    architecture="mlp",
    dataset="tiny",
    epochs=6,
    batch_size=16,
    latent_dim=4,
    generator_units=(7,),
    sample_every=2,
    judge_every=1,
    seed=1,
)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """A judge that says this, epoch by epoch, in place of one that looks."""
    said: list[Look] = []
    count = iter(range(1000))

    def prepare(judge: Judge, *_: object) -> None:
        judge.count, judge.floor = 4, 0.5

    monkeypatch.setattr(watching, "BEGINNING_STEPS", 0)
    monkeypatch.setattr(Judge, "__init__", prepare)
    monkeypatch.setattr(Judge, "look", lambda judge, images: said[next(count)])
    return said


def test_the_generator_of_the_best_epoch_is_the_one_that_is_kept(
    looks: list[Look], tiny_data: dict[str, Path], tmp_path: Path
) -> None:
    looks += [Look(distance, 1.0) for distance in (9.0, 4.0, 2.0, 3.0, 5.0, 6.0)]
    best = run_locally(SPEC, tmp_path / "best", tiny_data)
    assert (best.best_epoch, best.frechet_distance, best.floor_frechet_distance) == (3, 2.0, 0.5)
    short = run_locally(
        SPEC.model_copy(update={"epochs": 3, "judge_every": 0}), tmp_path / "short", tiny_data
    )
    assert short.frechet_distance is None
    kept, third = (load_file(tmp_path / job / "artifacts/generator.safetensors") for job in ("best", "short"))
    assert all(np.array_equal(kept[name], third[name]) for name in third)
    assert (tmp_path / "best/artifacts/quality.png").exists()
    assert not (tmp_path / "short/artifacts/quality.png").exists()


def test_a_collapse_is_one_clear_failure_but_not_in_the_beginning(
    looks: list[Look], tiny_data: dict[str, Path], tmp_path: Path
) -> None:
    looks += [Look(9.0, 0.0), Look(8.0, 0.5), Look(7.0, 0.001)]
    with pytest.raises(Diverged, match=r"collapsed in epoch 3/6: .* 0\.001 of the variety .*'wgan-gp'"):
        run_locally(SPEC, tmp_path / "job", tiny_data)


def test_after_a_collapse_training_can_go_back_to_its_best_weights(
    looks: list[Look], tiny_data: dict[str, Path], tmp_path: Path
) -> None:
    looks += [Look(9.0, 1.0), Look(4.0, 1.0), Look(7.0, 0.0), Look(6.0, 1.0), Look(5.0, 1.0), Look(6.0, 1.0)]
    rolled = SPEC.model_copy(update={"on_divergence": "rollback"})
    result = run_locally(rolled, tmp_path / "job", tiny_data)
    assert (result.rollbacks, result.best_epoch) == (1, 2)


def test_few_images_are_not_judged_by(tmp_path: Path) -> None:
    data = {"tiny": tmp_path / "two.npz"}
    ImageSet(np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)).write(data["tiny"])
    result = run_locally(SPEC.model_copy(update={"epochs": 1}), tmp_path / "job", data)
    assert result.frechet_distance is None
    rollback = SPEC.model_copy(update={"on_divergence": "rollback"})
    with pytest.raises(BadInput, match=r"has 2 images, and to find the best weights.* takes 40"):
        run_locally(rollback, tmp_path / "refused", data)


def test_a_rollback_needs_something_to_go_back_to() -> None:
    with pytest.raises(InvalidSpec, match="which only 'judge_every' finds"):
        TrainGan(architecture="mlp", on_divergence="rollback")
    assert TrainGan(on_divergence="rollback")


def test_a_stopped_training_has_the_same_filmstrip_and_best_generator(
    tiny_data: dict[str, Path], tmp_path: Path, context_that_stops: Contexts
) -> None:
    """With the real judge, on 50 images of noise."""
    whole = run_locally(SPEC, tmp_path / "whole", tiny_data)
    with pytest.raises(Stopped):
        run_locally(SPEC, tmp_path / "stopped", tiny_data, context_that_stops(4))
    resumed = run_locally(SPEC, tmp_path / "stopped", tiny_data)
    assert resumed.state_sha256 == whole.state_sha256
    assert resumed.frechet_distance == whole.frechet_distance
    for name in ("filmstrip.gif", "samples.png", "generator.safetensors", "quality.png"):
        first, second = (tmp_path / job / "artifacts" / name for job in ("whole", "stopped"))
        assert first.read_bytes() == second.read_bytes(), name
    assert Image.open(io.BytesIO(first.with_name("filmstrip.gif").read_bytes())).n_frames == 3


def test_looks_are_few_unless_asked_for_and_none_of_the_small_dense_gan() -> None:
    assert looks_every(TrainGan(), 80) == 10
    assert looks_every(TrainGan(), 3) == 1
    assert looks_every(TrainGan(judge_every=0), 80) == 0
    assert looks_every(TrainGan(architecture="mlp"), 80) == 0
    assert watching.COLLAPSED < 0.1
