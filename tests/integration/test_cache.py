"""What jobs share in the store: the cache, and data sets that a job makes."""

from pathlib import Path

import numpy as np
import pytest

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from scheduler.artifacts import ArtifactStore
from scheduler.datasets import DataSets
from scheduler.keys import DataSetKeys, cache_key
from scheduler.settings import StoreSettings
from worker.cache import CachedFiles, cached
from worker.datasets import DataSetCache


@pytest.fixture
def store(store_settings: StoreSettings) -> ArtifactStore:
    store = ArtifactStore(store_settings)
    store.ensure_bucket()
    for folder in ("cache/", "datasets/"):
        for item in list(store.under(folder)):
            store.delete(item.key)
    return store


def never() -> bytes:
    raise AssertionError("made twice")


def test_a_cache_entry_is_made_once(store: ArtifactStore) -> None:
    assert cached(store, "features/abc.safetensors", lambda: b"weights") == b"weights"
    assert cached(store, "features/abc.safetensors", never) == b"weights"
    assert cached(store, "features/other.safetensors", lambda: b"others") == b"others"


def test_a_damaged_cache_entry_is_made_anew(store: ArtifactStore) -> None:
    cached(store, "entry", lambda: b"weights")
    whole = store.get(cache_key("entry"))
    for damaged in (whole[:-1], whole[:-1] + b"?", b""):
        store.put(cache_key("entry"), damaged)
        assert cached(store, "entry", lambda: b"again") == b"again"
        assert cached(store, "entry", never) == b"again"


def test_of_two_that_make_an_entry_at_once_both_go_on_with_the_first(store: ArtifactStore) -> None:
    def slowly() -> bytes:
        cached(store, "entry", lambda: b"first")
        return b"second"

    assert cached(store, "entry", slowly) == b"first"
    assert cached(store, "entry", never) == b"first"


def test_a_file_is_made_once_for_all_workers_and_stays_on_the_disk_of_each(
    store: ArtifactStore, tmp_path: Path
) -> None:
    def unneeded(path: Path) -> None:
        raise AssertionError("made twice")

    one, other = (CachedFiles(store, tmp_path / name) for name in ("one", "other"))
    made = one.get("shards/abc/0", lambda path: path.write_bytes(b"tokens") and None)
    assert made.read_bytes() == one.get("shards/abc/0", unneeded).read_bytes() == b"tokens"
    assert other.get("shards/abc/0", unneeded).read_bytes() == b"tokens"
    store.delete(cache_key("shards/abc/0"))  # as a clean-up may do
    assert other.get("shards/abc/0", unneeded).read_bytes() == b"tokens"
    assert [path.name for path in made.parent.iterdir()] == ["0"]


def test_a_file_that_is_damaged_in_the_store_is_made_anew(store: ArtifactStore, tmp_path: Path) -> None:
    def get(worker: str, content: bytes) -> bytes:
        files = CachedFiles(store, tmp_path / worker)
        return files.get("entry", lambda path: path.write_bytes(content) and None).read_bytes()

    get("first", b"tokens")
    whole = store.get(cache_key("entry"))
    for number, damaged in enumerate((whole[:-1], whole[:-1] + b"?", b"")):
        store.put(cache_key("entry"), damaged)
        assert get(f"worker{number}", b"again") == b"again"
        assert get(f"later{number}", b"unneeded") == b"again"


def test_a_data_set_that_a_job_makes_can_be_named_and_is_never_replaced_by_another(
    store: ArtifactStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, 3, 2, 1), dtype=np.uint8)
    first = ImageSet(images, np.array([0, 1, 0, 1]), ("a", "b"))
    sets = DataSetCache(store, tmp_path_factory.mktemp("cache"))
    sets.save("made", first)
    sets.save("made", first)  # by a later attempt at the same job
    assert [info.class_names for info in DataSets(store).list() if info.name == "made"] == [("a", "b")]
    assert sets.load("made", {}).digest == first.digest
    with pytest.raises(BadInput, match="there is a data set 'made' already, with other content: choose"):
        sets.save("made", ImageSet(images))
    assert sets.load("made", {}).digest == first.digest
    assert store.exists(DataSetKeys("made").content(first.digest))


def test_a_data_set_whose_upload_is_under_way_is_not_there_yet(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DataSetCache(store, tmp_path).save("whole", ImageSet(np.zeros((2, 3, 2, 1), np.uint8)))
    # Its content is there and the pointer to it is not; a removed one may leave its folder as well.
    store.put(DataSetKeys("half").content("a" * 64), b"some of it")
    sets = DataSets(store)
    assert "whole" in sets.names() and "half" not in sets.names()
    assert {info.name for info in sets.list()} >= {"whole"} and "half" not in {
        info.name for info in sets.list()
    }
    monkeypatch.setattr(sets, "_stored", lambda: ["removed", "whole"])  # in the moment after the listing
    assert [info.name for info in sets.list()][-1] == "whole"


def test_a_data_set_is_unpacked_once_on_a_disk_and_fetched_again_if_it_is_damaged_there(
    store: ArtifactStore, tmp_path: Path
) -> None:
    images = ImageSet(np.random.default_rng(0).integers(0, 256, (4, 3, 2, 1), dtype=np.uint8))
    sets = DataSetCache(store, tmp_path / "cache")
    sets.save("made", images)
    folder = tmp_path / "cache" / "datasets"
    folder.mkdir(parents=True)
    (folder / f"{images.digest}.npz").write_bytes(b"as the version before kept it")
    held = sets.load("made", {})
    unpacked = folder / f"{images.digest}.images"
    assert [path.name for path in folder.iterdir()] == [unpacked.name]
    before = (unpacked / "images.npy").stat().st_ino
    assert sets.load("made", {}).digest == images.digest
    assert (unpacked / "images.npy").stat().st_ino == before
    content = (unpacked / "images.npy").read_bytes()
    for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (unpacked / "images.npy").unlink()
        (unpacked / "images.npy").write_bytes(damaged)
        assert sets.load("made", {}).digest == images.digest
        assert (unpacked / "images.npy").read_bytes() == content
    np.testing.assert_array_equal(held.images, images.images)  # whatever became of its files


def test_a_data_set_that_is_damaged_in_the_store_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    images = ImageSet(np.random.default_rng(0).integers(0, 256, (4, 3, 2, 1), dtype=np.uint8))
    DataSetCache(store, tmp_path).save("made", images)
    other = tmp_path / "other.npz"
    ImageSet(images.images[::-1]).write(other)
    store.put_file(DataSetKeys("made").content(images.digest), other)
    with pytest.raises(BadInput, match="the data set 'made' is damaged in the store: upload it again"):
        DataSetCache(store, tmp_path).load("made", {})
    assert not list((tmp_path / "datasets").iterdir())
