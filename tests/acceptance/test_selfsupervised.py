"""A person trains on unlabelled pictures of their own, and looks at what was learnt."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jobs import EncodeImages, EvaluateEmbeddings, ReconstructImages, TrainSelfSupervised
from jobs.errors import BadInput, InvalidSpec
from scheduler import Client, JobFailed
from scheduler.cli.commands import app


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
    assert picture.width / (6 * 10 + 2) == picture.height / (2 * 10 + 2)  # six originals over six drawings

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


def test_a_finished_training_is_extended_and_ends_like_one_that_was_asked_for_all_epochs(
    client: Client, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(random.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    client.datasets.upload("noise", tmp_path)
    short = client.submit(TrainSelfSupervised(dataset="noise", units=(6,), embedding_dim=3, epochs=4))
    first = short.wait(240)
    (tmp_path / "0.png").unlink()
    client.datasets.upload("noise", tmp_path)  # a newer one: what is extended goes on with its own

    done = CliRunner().invoke(app, ["extend", short.id, "--epochs", "10"])
    assert done.exit_code == 0, done.output
    longer = client.get(done.stdout.strip())
    result = longer.wait(240)
    assert isinstance(longer.spec, TrainSelfSupervised)
    fields = longer.spec.model_dump() | {"extends": None, "limits": longer.spec.limits}
    at_once = client.submit(TrainSelfSupervised(**fields), inputs=short.record.inputs)
    assert at_once.wait(240).state_sha256 == result.state_sha256 != first.state_sha256
    assert "extends job" in "".join(longer.logs())
    assert [item.key.rpartition("/")[2] for item in longer.samples()] == [
        item.key.rpartition("/")[2] for item in at_once.samples()
    ]

    with pytest.raises(InvalidSpec, match="'epochs' should be more than the 10 that job"):
        client.extend(longer, 10)
    with pytest.raises(InvalidSpec, match="'noise' has changed since job"):
        client.submit(longer.spec.model_copy(update={"epochs": 12}))
    with pytest.raises(InvalidSpec, match=r"'units' should be .* as in job"):
        client.submit(longer.spec.model_copy(update={"units": (7,)}), inputs=short.record.inputs)
    said = CliRunner().invoke(app, ["models", "name", "noisy", longer.id[:8], "--alias", "production"])
    assert said.stdout.strip() == f"noisy@1 is job {longer.id}, and noisy@production"
    assert longer.id in CliRunner().invoke(app, ["models", "history", "noisy"]).stdout
    shown = CliRunner().invoke(app, ["show", client.submit(EncodeImages(model="noisy@production")).id]).stdout
    assert f"{longer.id} (noisy@production, noisy@1 then)" in shown
    assert CliRunner().invoke(app, ["models", "unname", "noisy"]).exit_code == 0
    assert "noisy" not in CliRunner().invoke(app, ["models", "list"]).stdout

    page = tmp_path / "page.html"
    compared = CliRunner().invoke(app, ["compare", short.id, longer.id, "--out", str(page)]).stdout
    rows = [line.split("\t") for line in compared.splitlines()]
    assert ["spec", "epochs", "4", "10"] in rows
    assert ["spec", "extends", "–", short.id] in rows
    assert ["result", "steps", str(first.steps), str(result.steps)] in rows
    assert not any(row[1] == "units" for row in rows if len(row) > 1)
    assert "What differs: spec" in page.read_text()
    both = rf'curve-0"><title>{short.id[:8]}.*curve-1"><title>{longer.id[:8]}'
    assert re.search(both, page.read_text(), re.S)
    table = client.metrics_table([short, longer.id])
    assert set(table["job"]) == {short.id, longer.id}
    assert len({len(column) for column in table.values()}) == 1
    assert {"step", "time", "stage", "loss"} <= set(table)

    begun = client.submit(
        TrainSelfSupervised(dataset="noise", units=(6,), embedding_dim=3, epochs=1, start=longer)
    )
    assert begun.wait(240).loss < first.loss
    assert f"begins with the weights of job {longer.id}" in "".join(begun.logs())
    other = client.submit(
        TrainSelfSupervised(dataset="noise", units=(5,), embedding_dim=3, epochs=1, start=longer)
    )
    with pytest.raises(JobFailed, match=r"'start': the model of job .* is another one"):
        other.wait(240)
