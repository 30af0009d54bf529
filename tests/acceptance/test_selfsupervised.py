"""A person trains on unlabelled pictures of their own, and looks at what was learnt."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import EncodeImages, EvaluateEmbeddings, ReconstructImages, TrainSelfSupervised
from jobs.errors import BadInput
from scheduler import Client, JobFailed


def test_what_was_trained_on_digits_encodes_reconstructs_and_is_judged(client: Client) -> None:
    trained = client.submit(TrainSelfSupervised(dataset="digits", units=(24,), embedding_dim=8, epochs=40))
    # All are asked for at once: they wait until the training is done.
    encoded = client.submit(EncodeImages(model=trained, dataset="digits"))
    drawn = client.submit(ReconstructImages(model=trained, dataset="digits", count=6))
    judged = client.submit(EvaluateEmbeddings(model=trained, dataset="digits", rows=400, map="pca"))

    result = trained.wait(240)
    assert result.embedding_dim == 8
    assert result.knn_accuracy is not None
    assert result.knn_accuracy > 0.5
    assert {"model.safetensors", "strip.png", "losses.png", "knn.png"} <= set(trained.artifacts())
    assert len(trained.samples()) >= 10
    assert {"loss", "validation_loss", "knn_accuracy"} <= set(trained.metrics()[-1])

    count = encoded.wait(240).count
    arrays = np.load(io.BytesIO(encoded.artifact("embeddings.npz")))
    assert arrays["embeddings"].shape == (count, 8)
    assert len(arrays["labels"]) == count
    assert encoded.artifact("embeddings.parquet")[:4] == b"PAR1"

    assert drawn.wait(240).mean_squared_error < 0.1
    picture = Image.open(io.BytesIO(drawn.artifact("reconstructions.png")))
    assert picture.width / 6 == pytest.approx(picture.height / 2, abs=4)  # six originals over six drawings

    found = judged.wait(240)
    assert set(found.knn) == set(found.linear) == {"embedding", "pixels", "pca"}
    assert {"evaluation.json", "map.png"} <= set(judged.artifacts())


def test_ones_own_pictures_of_every_kind_are_learnt_from_without_labels(
    client: Client, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 255, (20 + number, 24, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}-transparent.png")
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(tmp_path / f"{number}-16-bit.png")
        Image.fromarray(pixels[..., :3]).quantize(16).save(tmp_path / f"{number}-palette.png")
    with pytest.raises(BadInput, match=r"the images differ in size: .*give a size to which all are resized"):
        client.datasets.upload("holiday", tmp_path)
    assert "holiday" not in {info.name for info in client.datasets.list()}
    assert client.datasets.upload("holiday", tmp_path, size=(16, 12)).shape == (16, 12, 3)

    job = client.submit(
        TrainSelfSupervised(dataset="holiday", method="masked", depth=1, embedding_dim=8, epochs=2)
    )
    result = job.wait(240)
    assert (result.steps, result.knn_accuracy) == (2, None)
    judged = client.submit(EvaluateEmbeddings(model=job, dataset="holiday")).wait(240)
    assert (judged.knn, judged.linear, judged.labelled) == ({}, {}, 0)
    assert judged.effective_rank["embedding"] > 0

    compared = client.submit(TrainSelfSupervised(dataset="digits", method="vicreg", filters=(4,), epochs=1))
    refused = client.submit(ReconstructImages(model=compared, dataset="digits"))
    with pytest.raises(JobFailed, match=r"BAD_INPUT.*'vicreg', which compares images and draws none"):
        refused.wait(240)


def test_folders_that_cannot_be_used_leave_no_data_set_behind(client: Client, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=re.escape(f"{tmp_path} has no image; put files")):
        client.datasets.upload("broken", tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"bad\.png cannot be read as an image .*replace or remove it"):
        client.datasets.upload("broken", tmp_path)
    assert "broken" not in {info.name for info in client.datasets.list()}

    (tmp_path / "bad.png").unlink()
    client.datasets.upload("single", tmp_path)
    alone = client.submit(TrainSelfSupervised(dataset="single", epochs=2))
    lonely = client.submit(TrainSelfSupervised(dataset="single", method="contrastive"))
    assert alone.wait(240).steps == 2
    with pytest.raises(JobFailed, match=r"BAD_INPUT.*'single' has 1 image, .*needs at least 2 images"):
        lonely.wait(240)
