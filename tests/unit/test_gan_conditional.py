"""GANs that draw the class they are asked for."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs import GanResult, GenerateImages, TrainGan
from jobs.context import StopReason
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Stopped
from jobs.gan.spec import AugmentDataSet
from jobs.local import LocalContext, run_locally

SPEC = TrainGan(
    architecture="mlp",
    dataset="two",
    conditional=True,
    epochs=150,
    batch_size=20,
    latent_dim=4,
    generator_units=(16,),
    discriminator_units=(16,),
    learning_rate=5e-3,
    average=0.9,
    checkpoint_seconds=0,
    sample_every=150,
)


class Impatient(LocalContext):
    """Asks to stop now and then."""

    asked = 0

    def should_stop(self) -> StopReason | None:
        type(self).asked += 1
        return StopReason.DRAIN if self.asked % 60 == 0 else None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of dark and of bright images; one with a single bright one; one without labels."""
    home = tmp_path_factory.mktemp("home")
    random = np.random.default_rng(0)
    dark, bright = (random.integers(low, low + 60, (40, 6, 6, 1), dtype=np.uint8) for low in (0, 190))
    labels = np.repeat([0, 1], 40)
    images = np.concatenate([dark, bright])
    ImageSet(images, labels, ("dark", "bright")).write(home / "two.npz")
    ImageSet(images[:41], labels[:41], ("dark", "bright")).write(home / "rare.npz")
    ImageSet(images).write(home / "plain.npz")
    return home


@pytest.fixture(scope="module")
def trained(home: Path) -> GanResult:
    return run_locally(SPEC, home / "trained", {"two": home / "two.npz"})


def brightness(folder: Path) -> float:
    return float(ImageSet.read(folder / "artifacts/images.npz").images.mean())


def test_it_draws_the_class_that_is_asked_for(home: Path, trained: GanResult) -> None:
    run_locally(GenerateImages(model="trained", count=32, label="dark"), home / "d")
    run_locally(GenerateImages(model="trained", count=32, label="1"), home / "b")
    assert brightness(home / "d") < 80 < 170 < brightness(home / "b")


def test_a_conditional_training_that_is_stopped_ends_bit_for_bit_like_one_that_is_not(
    home: Path, trained: GanResult
) -> None:
    stops = 0
    while True:
        try:
            data = {"two": home / "two.npz"}
            result = run_locally(SPEC, home / "stopped", data, context=Impatient)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert result.state_sha256 == trained.state_sha256


@pytest.mark.usefixtures("short_classifiers")
def test_its_samples_become_a_data_set_with_labels(home: Path, trained: GanResult) -> None:
    spec = AugmentDataSet(model="trained", name="more", per_class=10, real=20)
    effect = run_locally(spec, home / "augmented", {"two": home / "two.npz"})
    assert (effect.count, effect.dataset) == (20, "more")


def test_a_class_with_one_image_is_learnt_like_the_others(home: Path) -> None:
    spec = SPEC.model_copy(update={"dataset": "rare", "epochs": 2})
    assert run_locally(spec, home / "rare", {"rare": home / "rare.npz"}).steps == 6


def test_a_data_set_without_labels_is_refused(home: Path) -> None:
    spec = SPEC.model_copy(update={"dataset": "plain"})
    with pytest.raises(BadInput, match="'plain' has no labels, and conditional=true needs them"):
        run_locally(spec, home / "refused", {"plain": home / "plain.npz"})
