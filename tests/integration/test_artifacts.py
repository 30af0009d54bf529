from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from jobs.errors import InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact, Unreachable
from scheduler.keys import DataSetKeys, JobKeys
from scheduler.settings import StoreSettings
from tests.ports import free_port
from tests.servers import s3_server


@pytest.fixture(scope="module", params=["seaweed", "minio"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArtifactStore]:
    with s3_server(tmp_path_factory.mktemp("s3"), request.param) as settings:
        built = ArtifactStore(settings)
        built.ensure_bucket()
        yield built


def test_an_object_comes_back_as_it_went(store: ArtifactStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    store.put("jobs/a/artifacts/bytes", content)
    assert store.get("jobs/a/artifacts/bytes") == content
    file = tmp_path / "file"
    file.write_bytes(content)
    store.put_file("jobs/a/artifacts/file", file)
    assert store.get_file("jobs/a/artifacts/file", tmp_path / "deep" / "copy").read_bytes() == content
    store.put_json("jobs/a/spec.json", {"epochs": 3})
    assert store.get_json("jobs/a/spec.json") == {"epochs": 3}


def test_an_object_of_many_parts_comes_back_as_it_went(store: ArtifactStore, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(range(256)) * (12 << 12))  # 12 MiB: more than one part of an upload
    store.put_file("jobs/a/checkpoints/large", file)
    copy = store.get_file("jobs/a/checkpoints/large", tmp_path / "copy")
    assert copy.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("most", [5 * 1024**3, 0])
def test_an_object_in_pieces_comes_back_as_one_in_one_request_and_in_parts(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("scheduler.artifacts._LARGEST_PUT", most)
    monkeypatch.setattr("scheduler.artifacts._PART", 5 << 20)
    large = np.arange(3 << 19, dtype=np.int64)  # 12 MiB
    pieces = [memoryview(b"head"), memoryview(large).cast("B"), memoryview(b""), memoryview(b"tail")]
    store.put_pieces("jobs/a/checkpoints/pieces", pieces)
    assert store.get("jobs/a/checkpoints/pieces") == b"head" + large.tobytes() + b"tail"


def test_listings_are_in_the_order_of_keys_and_stay_in_their_folder(store: ArtifactStore) -> None:
    keys = JobKeys("b")
    for step in (1000, 20, 3):
        store.put(keys.sample(step), b"png")
    store.put(JobKeys("bb").sample(1), b"png")
    assert [item.key for item in store.under(keys.samples)] == [keys.sample(step) for step in (3, 20, 1000)]
    assert [item.size for item in store.under(keys.samples)] == [3, 3, 3]
    assert list(store.under("jobs/none/")) == []


def test_what_is_not_there_is_said_to_be_missing(store: ArtifactStore) -> None:
    assert not store.exists("jobs/none/result.json")
    with pytest.raises(UnknownArtifact, match=r"jobs/none/result\.json"):
        store.get("jobs/none/result.json")
    store.delete("jobs/none/result.json")


def test_a_deleted_object_is_gone(store: ArtifactStore) -> None:
    store.put("jobs/c/spec.json", b"{}")
    assert store.exists("jobs/c/spec.json")
    store.delete("jobs/c/spec.json")
    assert not store.exists("jobs/c/spec.json")


def test_making_the_bucket_twice_is_harmless(store: ArtifactStore) -> None:
    store.ensure_bucket()


@pytest.mark.parametrize("field", ["s3_access_key", "s3_secret_key"])
def test_wrong_keys_are_refused_in_one_sentence(store: ArtifactStore, field: str) -> None:
    wrong = store.settings.model_copy(update={field: SecretStr("not-the-right-one")})
    with pytest.raises(Unreachable, match="refuses these keys"):
        ArtifactStore(wrong).get("jobs/a/spec.json")


def test_a_server_that_is_not_there_is_named_in_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    settings = StoreSettings(s3_url=url, s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b"))
    with pytest.raises(Unreachable, match=f"{url} does not answer"):
        ArtifactStore(settings).get("jobs/a/spec.json")


@pytest.mark.parametrize("name", ["../b", "a/../../b", "", "/etc", "a//b", ".hidden", "a b", "ä", "a\n"])
def test_no_key_leaves_its_folder(name: str) -> None:
    with pytest.raises(InvalidSpec):
        JobKeys("a").artifact(name)
    with pytest.raises(InvalidSpec):
        _ = JobKeys(name).spec
    with pytest.raises(InvalidSpec):
        _ = DataSetKeys(name).current
