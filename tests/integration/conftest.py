"""What many tests of the store and the records begin with."""

import pytest

from scheduler import Client
from scheduler.artifacts import ArtifactStore
from scheduler.datasets import DataSets
from scheduler.settings import RedisSettings, StoreSettings
from worker.__main__ import connection


@pytest.fixture
def store(store_settings: StoreSettings) -> ArtifactStore:
    """The store of these tests, with its bucket."""
    store = ArtifactStore(store_settings)
    store.ensure_bucket()
    return store


@pytest.fixture
def sets(store: ArtifactStore) -> DataSets:
    """The data sets in it."""
    return DataSets(store)


@pytest.fixture
def new_client(
    redis_settings: RedisSettings, store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> Client:
    """A client of servers that the environment names, too, and of a Redis that is empty."""
    for name, value in connection(redis_settings, store_settings).items():
        monkeypatch.setenv(name, value)
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    return built


@pytest.fixture
def emptied_client(new_client: Client) -> Client:
    """The same, of a store that is empty as well."""
    new_client.store.ensure_bucket()
    for folder in ("jobs/", "datasets/", "cache/", "archive/", "models/"):
        new_client.store.delete_all([item.key for item in new_client.store.under(folder)])
    return new_client
