import numpy as np
import pytest

from jobs.errors import BadInput
from jobs.training import Passes
from jobs.transformer.encoder.lengths import MULTIPLE, ByLength, batches_of
from jobs.transformer.judging.splits import drawn, split

LABELS = np.array([0] * 700 + [1] * 250 + [2] * 50, np.int32)
NAMES = ("a", "b", "c")


def test_every_text_is_in_one_part_and_every_class_has_its_share():
    parts = split(LABELS, seed=1, validation=0.2, test=0.1, classes=3)
    together = np.concatenate([parts.train, parts.validation, parts.test])

    np.testing.assert_array_equal(np.sort(together), np.arange(1000))
    np.testing.assert_array_equal(np.bincount(LABELS[parts.test]), [70, 25, 5])
    np.testing.assert_array_equal(np.bincount(LABELS[parts.validation]), [140, 50, 10])


def test_the_same_seed_makes_the_same_parts_and_another_one_others():
    first, again, other = (split(LABELS, seed, 0.2, 0.1, 3) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_parts_may_be_numbers_of_rows():
    parts = split(LABELS, seed=0, validation=100, test=333, classes=3)
    assert (len(parts.validation), len(parts.test)) == (100, 333)


@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (2, 2), (3, 40)])
def test_a_text_of_each_class_at_least_is_trained_on(counts):
    labels = np.repeat(np.arange(2, dtype=np.int32), counts)
    parts = split(labels, seed=0, validation=0.45, test=0.45, classes=2)
    assert set(labels[parts.train]) == {0, 1}


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.1), (0, 0.3), (0.45, 0.45), (3, 4)])
def test_a_class_without_a_row_changes_nothing_for_the_others(validation, test):
    labels = np.repeat(np.array([0, 2], np.int32), (13, 7))
    parts = split(labels, 0, validation, test, classes=4)
    without = split(labels // 2, 0, validation, test, classes=2)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(without, name))
    with pytest.raises(BadInput, match="there is no row of 'b'; leave out 'balanced'"):
        drawn(labels, 0, 4, balanced=True, class_names=("a", "b", "c"))


def test_parts_that_leave_nothing_are_refused():
    with pytest.raises(BadInput, match=r"validation=900 and test=0.1 leave none of 1000 rows"):
        split(LABELS, 0, validation=900, test=0.1, classes=3)


def test_balanced_rows_are_as_many_of_every_class():
    rows = drawn(LABELS, seed=0, count=120, balanced=True, class_names=NAMES)
    np.testing.assert_array_equal(np.bincount(LABELS[rows]), [40, 40, 40])
    everything = drawn(LABELS, seed=0, count=None, balanced=True, class_names=NAMES)
    np.testing.assert_array_equal(np.bincount(LABELS[everything]), [50, 50, 50])


def test_more_rows_than_there_are_are_refused():
    with pytest.raises(BadInput, match=r"rows is 1001, and there are 1000"):
        drawn(LABELS, 0, 1001, balanced=False, class_names=NAMES)
    with pytest.raises(BadInput, match=r"there are 50 of 'c'; ask for 3 to 150"):
        drawn(LABELS, 0, 300, balanced=True, class_names=NAMES)


def test_an_epoch_has_every_row_once_in_batches_of_about_the_same_length():
    lengths = np.random.default_rng(0).integers(3, 128, 4010).astype(np.int32)
    order = ByLength(lengths, Passes(4010, 32))(seed=5, epoch=2, count=len(lengths))

    assert len(order) == 126 * 32
    assert set(order.tolist()) == set(range(4010))
    batches = lengths[order].reshape(-1, 32)
    padded = (-(-batches.max(axis=1) // MULTIPLE) * MULTIPLE * 32).sum()
    assert padded < 1.15 * batches.sum()


def test_the_order_follows_from_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(3, 128, 500).astype(np.int32)
    passes = Passes(500, 16)
    orders = [ByLength(lengths, passes)(seed, epoch, 500) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[3])
    # Short batches come first no more often than last: what is learnt late is not all of one length.
    means = lengths[orders[0]].reshape(-1, 16).mean(axis=1)
    assert not np.all(np.diff(means) >= 0)


def test_batches_for_prediction_have_every_row():
    lengths = np.array([5, 9, 1, 7], np.int32)
    found = list(batches_of(lengths, 3))
    assert [batch.tolist() for batch in found] == [[1, 3, 0], [2]]
