"""Texts and checkpoints in the store: uploaded, pinned, fetched once, damaged."""

import pytest

from jobs import ClassifyTexts, FineTune, TrainGan
from jobs.errors import BadInput, InvalidSpec
from scheduler.artifacts import ArtifactStore, DataSetKeys
from scheduler.datasets import DataSets
from scheduler.errors import UnknownDataSet
from scheduler.inputs import pinned
from scheduler.settings import StoreSettings
from worker.datasets import DataSetCache


@pytest.fixture
def store(store_settings: StoreSettings) -> ArtifactStore:
    store = ArtifactStore(store_settings)
    store.ensure_bucket()
    return store


@pytest.fixture
def sets(store: ArtifactStore) -> DataSets:
    return DataSets(store)


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\ngood,1\nbad,0\n")
    return path


def test_a_file_of_texts_is_known_by_its_columns_and_rows(sets, reviews):
    info = sets.upload("reviews", reviews)
    assert (info.content, info.columns, info.count) == ("texts", ("text", "label"), 2)
    assert sets.get("reviews") == info


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
