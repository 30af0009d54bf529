"""A person asks how good a trained GAN is, and what more can be made with it."""

import io

import numpy as np
import pytest
from PIL import Image

from jobs import AugmentDataSet, EvaluateGan, GenerateImages, TrainGan
from jobs.gan.spec import GanResult
from scheduler import Client, Job, JobFailed


@pytest.fixture(scope="module")
def trained(stack: object) -> Job[GanResult]:
    job = Client().submit(TrainGan(architecture="mlp", dataset="digits", epochs=5, latent_dim=8))
    job.wait(240)
    return job


def test_an_evaluation_leaves_figures_and_pictures_and_the_second_finds_the_feature_network(
    trained: Job[GanResult], client: Client
) -> None:
    first = client.submit(EvaluateGan(model=trained, count=200))
    results = [first.wait(240)]
    cached = list(client.store.under("cache/"))
    results.append(client.submit(EvaluateGan(model=trained, count=200, seed=1)).wait(240))
    assert cached == list(client.store.under("cache/")) != []
    for result in results:
        assert (result.count, result.features) == (200, "classes")
        assert result.frechet_distance > 5 * result.floor_frechet_distance
    assert results[0].feature_accuracy == results[1].feature_accuracy
    assert results[0].frechet_distance != results[1].frechet_distance
    assert {"evaluation.json", "neighbours.png", "classes.png"} <= set(first.artifacts())


def test_images_can_be_truncated_and_interpolated(trained: Job[GanResult], client: Client) -> None:
    job = client.submit(GenerateImages(model=trained, count=4, truncation=0.5, interpolate=2))
    assert job.wait(120).count == 4
    animation = Image.open(io.BytesIO(job.artifact("interpolation.gif")))
    assert animation.format == "GIF"
    assert animation.n_frames > 10


def test_what_needs_classes_fails_with_what_to_do(trained: Job[GanResult], client: Client) -> None:
    for spec in (
        GenerateImages(model=trained, count=4, label="3"),
        AugmentDataSet(model=trained, name="more-digits"),
    ):
        with pytest.raises(
            JobFailed, match=rf"BAD_INPUT.*job {trained.id} is not conditional.*conditional=true"
        ):
            client.submit(spec).wait(120)
    assert "more-digits" not in {info.name for info in client.datasets.list()}


def test_a_conditional_gan_draws_what_it_is_asked_for_and_its_samples_are_a_data_set(client: Client) -> None:
    job = client.submit(
        TrainGan(architecture="mlp", dataset="digits", epochs=20, latent_dim=8, conditional=True)
    )
    threes = client.submit(GenerateImages(model=job, count=4, label="3"))
    assert threes.wait(240).count == 4
    assert np.load(io.BytesIO(threes.artifact("images.npz")))["labels"].tolist() == [3] * 4

    augmented = client.submit(AugmentDataSet(model=job, name="drawn-digits", per_class=5, real=50))
    result = augmented.wait(240)
    assert (result.dataset, result.count, result.real) == ("drawn-digits", 50, 50)
    assert len(result.accuracies) == len(result.augmented_accuracies) == 3
    assert {"effect.png", "effect.json"} <= set(augmented.artifacts())
    # The data set is one like any other: a training takes it by its name.
    assert "drawn-digits" in {info.name for info in client.datasets.list()}
    again = client.submit(TrainGan(architecture="mlp", dataset="drawn-digits", epochs=1, conditional=True))
    assert again.wait(120).steps == 1
