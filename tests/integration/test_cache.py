"""What jobs share in the store: the cache, and data sets that a job makes."""

import numpy as np
import pytest

from jobs.datasets.images import ImageSet
from jobs.errors import BadInput
from scheduler.artifacts import ArtifactStore, DataSetKeys, cache_key
from scheduler.datasets import DataSets
from scheduler.settings import StoreSettings
from worker.cache import cached
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
