"""Which checkpoints are kept, and under which names."""

import random

import numpy as np
import pytest

from jobs.checkpoints.file import Checkpoint
from jobs.checkpoints.keeping import CheckpointName, Keeper, superfluous


def made(step: int, best: Checkpoint | None = None) -> Checkpoint:
    return Checkpoint(step, {"weights": np.full(3, step)}, {}, best)


@pytest.mark.parametrize("best", [(), (120, 3)])
def test_a_name_can_be_read_back(best: tuple[int, int] | tuple[()]) -> None:
    name = CheckpointName(1_234, 7, best)
    assert CheckpointName.parse(f"jobs/0/checkpoints/{name}") == name
    assert CheckpointName.parse(".000000000012-0001.safetensors.half") is None
    assert CheckpointName.parse("notes.txt") is None


def test_the_newest_two_are_kept_and_the_best_of_each() -> None:
    names = [
        CheckpointName(10, 1),
        CheckpointName(20, 1),
        CheckpointName(25, 1, (20, 1)),
        CheckpointName(30, 1, (10, 1)),
        CheckpointName(40, 2, (20, 1)),
    ]
    assert superfluous(random.Random(0).sample(names, len(names))) == [names[2]]
    assert superfluous(names[:2]) == []


def test_the_best_one_is_written_once_and_before_the_first_that_names_it() -> None:
    keeper, best = Keeper(attempt=4), made(10)
    first, second = keeper.to_write(made(15, best)), keeper.to_write(made(20, best))
    assert [str(name) for name, _ in (*first, *second)] == [
        "000000000010-0004.safetensors",
        "000000000015-0004.best-000000000010-0004.safetensors",
        "000000000020-0004.best-000000000010-0004.safetensors",
    ]
    itself = keeper.to_write(made(30))
    assert [name for name, _ in itself] == [CheckpointName(30, 4)]
    assert [name for name, _ in keeper.to_write(made(35, itself[0][1]))] == [
        CheckpointName(35, 4, (30, 4))
    ]  # it is in place already


def test_another_attempt_goes_on_with_the_best_one_of_the_one_before() -> None:
    keeper = Keeper(attempt=2)
    assert keeper.goes_on_from(CheckpointName(15, 1, (10, 1))) == CheckpointName(10, 1)
    assert [name for name, _ in keeper.to_write(made(20, made(10)))] == [CheckpointName(20, 2, (10, 1))]


def test_whatever_a_crash_leaves_has_the_best_of_each_that_may_be_gone_on_from() -> None:
    """Every moment between two writes or deletions of runs with random bests."""
    draws = random.Random(5)
    for _ in range(30):
        there: set[CheckpointName] = set()
        keeper, best = Keeper(attempt=1), None
        for step in range(10, 100, 10):
            if draws.random() < 0.4:
                best = made(step - draws.randint(0, 5))  # at this step, or between two checkpoints
            new = made(step, None if best and best.step == step else best)
            for name, _ in keeper.to_write(new):
                there.add(name)
                assert_whole(there)
            for name in superfluous(there):
                there.remove(name)
                assert_whole(there)
        assert len(there) <= 4


def assert_whole(there: set[CheckpointName]) -> None:
    for name in sorted(there)[-2:]:
        assert not name.best or CheckpointName(*name.best) in there
