"""Texts and checkpoints in the store: uploaded, pinned, fetched once, damaged."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jobs import (
    AugmentDataSet,
    ClassifyImages,
    ClassifyTexts,
    EvaluateImageClassifier,
    FineTune,
    TrainGan,
    TrainImageClassifier,
)
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from scheduler.cli.commands import app
from scheduler.errors import UnknownDataSet
from scheduler.inputs import pinned
from scheduler.keys import DataSetKeys
from worker.datasets import DataSetCache


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\ngood,1\nbad,0\n")
    return path


def test_a_file_of_texts_is_known_by_its_columns_and_rows(sets, reviews):
    info = sets.upload("reviews", reviews)
    assert (info.content, info.columns, info.count) == ("texts", ("text", "label"), 2)
    assert info.notes == ("taken for texts",)
    assert sets.get("reviews") == info


def test_a_file_that_is_written_otherwise_is_kept_as_readers_know_it(sets, store, tmp_path):
    (tmp_path / "EXPORT.CSV").write_bytes("text;label\ncafé, good;1\nbad;0\n".encode("utf-16"))
    info = sets.upload("reviews", tmp_path / "EXPORT.CSV")
    assert (info.columns, info.count) == (("text", "label"), 2)
    assert "the file is UTF-16" in info.notes
    assert sets.get("reviews") == info
    folder = DataSetCache(store, tmp_path / "cache").files("reviews", {}, None)
    assert (folder / "texts.csv").read_text(encoding="utf-8") == 'text,label\n"café, good",1\nbad,0\n'
    with pytest.raises(BadInput, match=r"EXPORT\.CSV: row 1 has 2 fields, and the first line 1; mend"):
        sets.upload("forced", tmp_path / "EXPORT.CSV", delimiter=",")


def test_an_upload_of_images_says_in_numbers_what_it_did(sets, store_settings, tmp_path, monkeypatch):
    for name, shade in (("cat/1.jfif", 1000), ("dog/1.png", 4000)):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(np.full((4, 4), shade, np.uint16)).save(tmp_path / name, "PNG")
    (tmp_path / "dog/notes.txt").write_text("a dog")
    info = sets.upload("pets", tmp_path)
    assert sets.get("pets") == info
    monkeypatch.setattr("scheduler.client.Client", lambda: SimpleNamespace(datasets=sets))
    said = CliRunner().invoke(app, ["datasets", "upload", "pets", str(tmp_path)]).stdout
    for text in (
        "pets: 2 images of 4×4×1, 2 classes",
        "images by class: cat 1, dog 1",
        "darkest 1000, brightest 4000: 0 to 4095 became black to white",
        "not used: 1 of the files and folders: 1 no image (notes.txt)",
    ):
        assert text in said
    options = ["--range", "-1000:5000", "--pages", "all"]
    said = CliRunner().invoke(app, ["datasets", "upload", "pets", str(tmp_path), *options]).stdout
    assert "-1000 to 5000 became black to white" in said


def test_a_set_that_an_earlier_version_stored_with_half_a_character_can_be_used(sets, store, tmp_path):
    old = ImageSet(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, np.int64), ("caf\udce9",))
    old.write(tmp_path / "old.npz")
    info = sets.publish("old", old, tmp_path / "old.npz")
    cache = DataSetCache(store, tmp_path / "cache")
    for _ in range(2):  # from the store, then from this disk
        assert cache.load("old", {"old": info.digest}).class_names == (r"caf\xe9",)


def test_a_job_keeps_the_texts_that_it_was_submitted_with(sets, store, reviews, tmp_path):
    first = sets.upload("kept", reviews)
    reviews.write_text("text,label\nother,1\n")
    second = sets.upload("kept", reviews)
    cache = DataSetCache(store, tmp_path / "cache")

    folder = cache.files("kept", {"kept": first.digest}, None)
    assert (folder / "texts.csv").read_text().startswith("text,label\ngood")
    assert first.digest != second.digest
    assert "other" in (cache.files("kept", {}, None) / "texts.csv").read_text()


def test_what_is_fetched_once_is_the_same_for_all(store, tmp_path):
    def fetch(text):
        return lambda folder: (folder / "config.json").write_text(text)

    one, two = (DataSetCache(store, tmp_path / name) for name in ("one", "two"))
    assert (one.files("hub-x", {}, fetch("first")) / "config.json").read_text() == "first"
    assert (two.files("hub-x", {}, fetch("second")) / "config.json").read_text() == "first"


def test_of_two_that_fetch_at_the_same_time_the_first_wins(sets, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    first = sets.publish_files("hub-y", tmp_path / "a", only_new=True)
    assert sets.publish_files("hub-y", tmp_path / "b", only_new=True) == first


def test_a_bundle_that_the_store_has_lost_or_damaged_is_named(sets, store, reviews, tmp_path):
    info = sets.upload("broken", reviews)
    store.put(DataSetKeys("broken").files(info.digest), b"PK")
    with pytest.raises(BadInput, match="upload it again"):
        DataSetCache(store, tmp_path / "one").files("broken", {}, None)
    store.delete(DataSetKeys("broken").files(info.digest))
    with pytest.raises(BadInput, match=r"the store has lost 'broken'"):
        DataSetCache(store, tmp_path / "two").files("broken", {}, None)


def test_a_folder_is_uploaded_when_a_job_names_it(sets, checkpoint):
    spec, inputs = pinned(FineTune(pretrained=str(checkpoint)), sets)
    assert spec.pretrained is not None
    assert spec.pretrained.startswith("pretrained-")
    assert inputs == {spec.pretrained: sets.get(spec.pretrained).digest}
    assert pinned(spec, sets) == (spec, inputs)


def test_a_folder_of_images_is_uploaded_when_a_job_names_it(sets, tmp_path, caplog):
    Image.new("L", (5, 6), 40).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("none")
    spec, inputs = pinned(ClassifyImages(model="job", dataset=str(tmp_path)), sets)
    assert spec.dataset.startswith("images-")
    assert inputs == {spec.dataset: sets.get(spec.dataset).digest}
    assert sets.get(spec.dataset).count == 1
    assert f"{tmp_path}: not used: 1 of the files and folders: 1 no image (notes.txt)" in caplog.messages
    assert pinned(spec, sets) == (spec, inputs)
    with pytest.raises(BadInput, match=r"there is no .*/nowhere; give a folder of images"):
        pinned(ClassifyImages(model="job", dataset=f"{tmp_path}/nowhere"), sets)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"label_column": "stars"}, r"'own' has no column 'stars'; its columns are text, label"),
        (
            {"dataset": "mnist-5k"},
            r"takes a data set of texts, and 'mnist-5k' is a data set of images",
        ),
        (
            {"pretrained": "own"},
            r"takes a pretrained checkpoint, and 'own' is a data set of texts",
        ),
        ({"pretrained": "/no/such/folder"}, r"the folder /no/such/folder has no config.json"),
    ],
)
def test_what_does_not_fit_is_refused_at_submission(sets, reviews, fields, text):
    sets.upload("own", reviews)
    with pytest.raises(InvalidSpec, match=text):
        pinned(FineTune.model_validate({"dataset": "own"} | fields), sets)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (TrainGan(dataset="own", conditional=True), "'own' have no labels, and it takes labels: upload"),
        (AugmentDataSet(model="job", name="more", dataset="own"), "'own' have no labels"),
        (EvaluateImageClassifier(model="job", dataset="own"), "'own' have no labels"),
        (TrainImageClassifier(dataset="own"), "no labels, and it takes labels of 2 classes or more"),
        (
            TrainImageClassifier(dataset="alike"),
            "'alike' have only the class 'cat', and it takes labels of 2",
        ),
    ],
)
def test_images_without_the_labels_that_a_kind_needs_are_refused_at_submission(sets, tmp_path, spec, text):
    (tmp_path / "alike/cat").mkdir(parents=True)
    for number in range(2):
        Image.new("L", (8, 8), 40 + number).save(tmp_path / f"alike/cat/{number}.png")
    sets.upload("alike", tmp_path / "alike")
    sets.upload("own", tmp_path / "alike/cat")
    assert pinned(TrainGan(dataset="own"), sets)
    with pytest.raises(InvalidSpec, match=text):
        pinned(spec, sets)


def test_images_are_asked_for_where_images_are_needed(sets, reviews):
    sets.upload("own", reviews)
    with pytest.raises(InvalidSpec, match=r"takes a data set of images, and 'own' is a data set of texts"):
        pinned(TrainGan(dataset="own"), sets)
    with pytest.raises(UnknownDataSet, match="there is no data set 'nothing'"):
        pinned(ClassifyTexts(model="job", dataset="nothing"), sets)


def test_names_that_come_with_triptych_are_taken(sets, reviews):
    for name in ("tweets", "minilm-l6", "tiny", "mnist-5k"):
        with pytest.raises(InvalidSpec, match="comes with Triptych"):
            sets.upload(name, reviews)


def test_a_checkpoint_in_several_files_is_refused(sets, checkpoint):
    (checkpoint / "model.safetensors").rename(checkpoint / "model-00001-of-00002.safetensors")
    with pytest.raises(BadInput, match=r"has no model.safetensors; save the checkpoint as a single file"):
        sets.upload("sharded", checkpoint)


def test_a_file_without_rows_is_refused(sets, tmp_path):
    (tmp_path / "none.csv").write_text("text,label\n")
    with pytest.raises(BadInput, match="has no row"):
        sets.upload("none", tmp_path / "none.csv")
