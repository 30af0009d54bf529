"""How often a worker's context lets the loop save."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from triptych_drill.spec import Train

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from scheduler.settings import RedisSettings, StoreSettings
from worker.__main__ import connection
from worker.context import WorkerContext
from worker.runners import Assignment

SPEC = Train(seed=1)


@pytest.fixture
def saved(
    redis_settings: RedisSettings,
    store_settings: StoreSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], WorkerContext]:
    """A context that has just saved a checkpoint."""
    for name, value in connection(redis_settings, store_settings).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "scratch"
    folder.mkdir()

    def make() -> WorkerContext:
        context = WorkerContext(Assignment("rests", 1, SPEC.to_wire(), {}), folder)
        context.save_checkpoint(Checkpoint(1, {"weights": np.ones(3)}, {"spec": digest_of_spec(SPEC)}))
        context.flush()
        return context

    return make


def test_after_a_save_of_a_moment_the_next_may_follow_at_once(saved: Callable[[], WorkerContext]) -> None:
    assert not saved().checkpoint_in_flight()


def test_after_a_long_save_periodic_ones_rest(
    saved: Callable[[], WorkerContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.saving._LONG_SAVE", 0.0)
    monkeypatch.setattr("worker.saving._REST", 1e6)
    assert saved().checkpoint_in_flight()
    monkeypatch.setattr("worker.saving._LONGEST_REST", 0.0)
    assert not saved().checkpoint_in_flight()


def test_a_checkpoint_is_in_flight_until_the_last_one_handed_over_is_stored(
    saved: Callable[[], WorkerContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = saved()
    write = context._store.put_pieces
    reached, goes_on = Event(), Event()

    def hesitates_at_the_last(key: str, content: Any) -> None:
        if "000003" in key:
            reached.set()
            assert goes_on.wait(20)
        write(key, content)

    monkeypatch.setattr(context._store, "put_pieces", hesitates_at_the_last)
    for step in (2, 3):
        context.save_checkpoint(Checkpoint(step, {"weights": np.ones(3)}, {"spec": digest_of_spec(SPEC)}))
    assert reached.wait(20)
    assert context.checkpoint_in_flight()
    goes_on.set()
    context.flush()
    assert not context.checkpoint_in_flight()
