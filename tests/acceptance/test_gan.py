"""A person trains a GAN on real digits and looks at what comes out."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import GenerateImages, TrainGan
from jobs.errors import InvalidSpec
from jobs.gan.spec import GanResult
from scheduler import Client, Job, JobFailed, JobState, UnknownDataSet

SIDE = 28
#: So many show digits: 40 steps each.
EPOCHS = 40


@pytest.fixture(scope="module")
def trained(stack: object) -> Job[GanResult]:
    return (
        Client()
        .submit(TrainGan(architecture="mlp", dataset="mnist-5k", epochs=EPOCHS, sample_every=10))
        .watch(240)
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)


def test_training_leaves_pictures_curves_and_the_generator(trained: Job[GanResult]) -> None:
    result = trained.result()
    assert (result.epochs, result.steps) == (EPOCHS, EPOCHS * 40)
    assert {"generator.keras", "generator.safetensors", "samples.png", "losses.png"} <= set(
        trained.artifacts()
    )
    assert len(trained.samples()) >= 4
    metrics = trained.metrics()
    assert metrics[-1]["step"] == result.steps
    steps = [line["step"] for line in metrics]
    assert steps == sorted(steps)
    assert {"d_loss", "g_loss"} <= set(metrics[-1])


def test_samples_show_how_training_went_from_noise_to_digits(trained: Job[GanResult]) -> None:
    pictures = [np.asarray(image.convert("L"), dtype=float) for image in trained.images()]
    assert not np.array_equal(pictures[0], pictures[-1])
    # Digits are dark with a bright stroke; what an untrained generator makes is grey all over.
    assert pictures[-1].mean() < 100
    assert pictures[-1].max() > 200


def test_generated_images_are_many_and_distinct_and_neither_constant_nor_noise(
    trained: Job[GanResult], client: Client, tmp_path: Path
) -> None:
    job = client.submit(GenerateImages(model=trained.id, count=64))
    assert job.wait(120).count == 64
    job.download(tmp_path)
    images = np.load(tmp_path / "artifacts" / "images.npz")["images"]
    assert images.shape == (64, SIDE, SIDE, 1)
    assert images.dtype == np.uint8
    assert len(list((tmp_path / "artifacts" / "images").glob("*.png"))) == 64
    first = pixels((tmp_path / "artifacts" / "images" / "0000.png").read_bytes())
    assert first.shape == (SIDE, SIDE)
    assert np.array_equal(first, images[0, :, :, 0])

    flat = images.reshape(64, -1).astype(float)
    assert len({image.tobytes() for image in images}) == 64
    assert flat.std(axis=1).min() > 10  # not constant
    assert flat.std(axis=0).max() > 30  # not one picture 64 times
    # Like digits, unlike noise: bright pixels have bright neighbours, and the corners are empty.
    shifted = np.roll(images, 1, axis=1)
    assert np.corrcoef(images.ravel(), shifted.ravel())[0, 1] > 0.2
    assert images[:, :3, :3].mean() < 30
    grid = pixels((tmp_path / "artifacts" / "grid.png").read_bytes())
    assert min(grid.shape) >= 8 * SIDE


def test_the_same_seed_gives_the_same_images_and_another_seed_others(
    trained: Job[GanResult], client: Client
) -> None:
    jobs = [client.submit(GenerateImages(model=trained.id, count=4, seed=seed)) for seed in (1, 1, 2)]
    for job in jobs:
        job.wait(120)
    first, again, other = (job.artifact("images.npz") for job in jobs)
    assert np.array_equal(np.load(io.BytesIO(first))["images"], np.load(io.BytesIO(again))["images"])
    assert not np.array_equal(np.load(io.BytesIO(first))["images"], np.load(io.BytesIO(other))["images"])


def test_a_model_that_is_not_a_gan_is_refused_at_submission(trained: Job[GanResult], client: Client) -> None:
    images = client.submit(GenerateImages(model=trained.id, count=1))
    with pytest.raises(InvalidSpec, match=rf"'model' takes a job of kind gan\.train; job {images.id} is a"):
        client.submit(GenerateImages(model=images.id))
    with pytest.raises(InvalidSpec, match="there is no job 'nonesuch'"):
        client.submit(GenerateImages(model="nonesuch"))


def test_an_unknown_data_set_is_refused_at_submission(client: Client) -> None:
    with pytest.raises(
        UnknownDataSet, match=r"no data set 'mnits': known are co2, .*, fashion-mnist, mnist, "
    ):
        client.submit(TrainGan(architecture="mlp", dataset="mnits"))


def test_ones_own_pictures_train_a_gan(client: Client, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(20):
        picture = random.integers(0, 255, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    client.datasets.upload("blobs", tmp_path)
    job = client.submit(TrainGan(architecture="mlp", dataset="blobs", epochs=2, batch_size=10))
    assert job.wait(120).steps == 4
    images = client.submit(GenerateImages(model=job.id, count=2))
    result = images.wait(120)
    assert (result.height, result.width, result.channels) == (12, 10, 3)


def test_a_data_set_with_no_worker_to_fetch_it_fails_with_what_to_do(client: Client) -> None:
    job = client.submit(TrainGan(architecture="mlp", dataset="fashion-mnist", epochs=1))
    try:
        job.wait(240)
    except JobFailed as failed:
        assert "BAD_INPUT" in str(failed)
        assert "download" in str(failed)
    assert job.state in (JobState.FAILED, JobState.SUCCEEDED)
    assert client.submit(TrainGan(architecture="mlp", dataset="digits", epochs=1)).wait(120)
