"""What an attempt goes on from and what it deletes, the same wherever checkpoints lie."""

from collections.abc import Iterable

import numpy as np
import pytest

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.checkpoints.keeping import CheckpointName
from jobs.checkpoints.kept import KeptCheckpoints


class Shelf:
    """A place in memory that remembers what was done to it, in its order."""

    def __init__(self) -> None:
        self.files: dict[str, Checkpoint | None] = {}  #: None is a damaged one
        self.done: list[str] = []

    def listing(self) -> Iterable[str]:
        return ["notes.txt", *(f"somewhere/{name}" for name in self.files)]

    def read(self, name: CheckpointName) -> Checkpoint:
        found = self.files.get(str(name))
        if found is None:
            raise DamagedCheckpoint("it is damaged")
        return found

    def write(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        self.done.append(f"write {name.step}")
        self.files[str(name)] = checkpoint

    def delete(self, name: CheckpointName) -> None:
        self.done.append(f"delete {name.step}")
        self.files.pop(str(name), None)

    def label(self, name: CheckpointName) -> str:
        return f"shelf/{name}"


def made(step: int, best: Checkpoint | None = None) -> Checkpoint:
    return Checkpoint(step, {"weights": np.full(3, step)}, {}, best)


def test_the_best_is_written_before_what_names_it_and_deleting_comes_last() -> None:
    shelf = Shelf()
    kept = KeptCheckpoints(shelf, attempt=1)
    for step in (10, 20):
        kept.save(made(step, made(step - 5)))
    assert shelf.done == ["write 5", "write 10", "write 15", "write 20", "delete 5", "delete 10"]


def test_a_damaged_one_is_passed_over_and_deleted_only_once_there_is_a_new_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf()
    for step in (10, 20, 30):
        KeptCheckpoints(shelf, attempt=1).save(made(step))
    shelf.files["000000000030-0001.safetensors"] = None
    shelf.done.clear()
    second = KeptCheckpoints(shelf, attempt=2)
    found = second.load()
    assert found is not None
    assert (found.name, found.checkpoint.step) == (CheckpointName(20, 1), 20)
    assert "checkpoint shelf/000000000030-0001.safetensors is passed over: it is damaged" in caplog.text
    assert "goes on from step 20 (shelf/000000000020-0001.safetensors)" in caplog.text
    assert shelf.done == []
    second.save(made(25))
    # The damaged one is of a later step, and still pushes out none that is whole.
    assert shelf.done == ["write 25", "delete 30"]
    assert [name.step for name in second.names()] == [20, 25]


def test_a_damaged_best_one_is_missed_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    KeptCheckpoints(shelf, attempt=1).save(made(10, made(5)))
    shelf.files["000000000005-0001.safetensors"] = None
    found = KeptCheckpoints(shelf, attempt=2).load()
    assert found is not None
    assert (found.checkpoint.step, found.checkpoint.best) == (10, None)
    assert "000000000005-0001.safetensors is passed over" in caplog.text


def test_with_none_whole_it_begins_anew_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    assert KeptCheckpoints(shelf, attempt=1).load() is None
    assert caplog.text == ""
    KeptCheckpoints(shelf, attempt=1).save(made(10))
    shelf.files = dict.fromkeys(shelf.files)
    assert KeptCheckpoints(shelf, attempt=2).load() is None
    assert "no checkpoint is usable: begins anew" in caplog.text
