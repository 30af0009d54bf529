"""Rows that are too many for the device: gathered on the host, and the result is the same, bit for bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs import TrainGan, TrainSelfSupervised, catalog
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import Stopped
from jobs.local import LocalContext, run_locally
from jobs.spec import JobSpec
from jobs.training import rows as host_rows
from jobs.training.passes import Passes
from jobs.training.rows import SHARE, HostRows, Selection, fits
from jobs.training.trainable import epoch_order

GAN = TrainGan(
    architecture="mlp",
    dataset="tiny",
    epochs=3,
    batch_size=8,
    latent_dim=5,
    generator_units=(7,),
    discriminator_units=(6,),
    seed=3,
)


class Cramped(LocalContext):
    """A context of a job that may hold next to nothing."""

    @property
    def memory(self) -> int:
        return 1


@pytest.fixture
def blocks_of_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_rows, "BLOCK", 2 * 8 * 6 * 5)


def state(spec: JobSpec[Any], folder: Path, data: dict[str, Path], context: type[LocalContext]) -> str:
    return str(run_locally(spec, folder, data, context).state_sha256)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=f"{kind}-{number}")
        # Compiled by XLA and not, dense and convolutional.
        for kind, numbers in (("gan.train", (0, 1)), ("selfsupervised.train", (2, 3)))
        for number, spec in enumerate(catalog.smallest(kind))
        if number in numbers
    ],
)
def test_every_training_ends_the_same_with_its_rows_on_the_host(
    spec: JobSpec[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_rows, "BLOCK", 40_000)  # two batches of the smallest specs, or a few
    gathered: list[int] = []
    gather = HostRows._gather
    monkeypatch.setattr(
        HostRows, "_gather", lambda self, first: (gathered.append(first), gather(self, first))[1]
    )
    little = {"epochs": 2, **({"judge_every": 0} if isinstance(spec, TrainGan) else {})}  # judging takes long
    spec = spec.model_copy(update=little)
    on_device = state(spec, tmp_path / "device", {}, LocalContext)
    assert not gathered
    assert state(spec, tmp_path / "host", {}, Cramped) == on_device
    assert len(gathered) > 1


@pytest.mark.usefixtures("blocks_of_two_batches")
@pytest.mark.parametrize("conditional", [False, True])
def test_blocks_that_do_not_divide_an_epoch_change_nothing(
    tiny_data: dict[str, Path], tmp_path: Path, conditional: bool
) -> None:
    spec = GAN.model_copy(update={"conditional": conditional})
    on_device = state(spec, tmp_path / "device", tiny_data, LocalContext)
    assert state(spec, tmp_path / "host", tiny_data, Cramped) == on_device


@pytest.mark.usefixtures("blocks_of_two_batches")
def test_it_goes_on_within_a_block_and_may_change_where_its_rows_lie(
    tiny_data: dict[str, Path],
    tmp_path: Path,
    context_that_stops: Callable[[int | None], type[LocalContext]],
) -> None:
    on_device = state(GAN, tmp_path / "device", tiny_data, LocalContext)

    class CrampedAndStopped(context_that_stops(2)):  # type: ignore[misc]
        memory = 1

    for first, then in ((CrampedAndStopped, LocalContext), (context_that_stops(2), Cramped)):
        folder = tmp_path / then.__name__
        with pytest.raises(Stopped):
            state(GAN, folder, tiny_data, first)
        assert state(GAN, folder, tiny_data, then) == on_device


def test_a_share_of_the_memory_decides() -> None:
    images = np.zeros((100, 10, 10, 1), np.uint8)
    data = {"images": images, "labels": np.zeros(100, np.int32)}
    needed = int((images.nbytes + 400) / SHARE)
    assert fits(data, needed)
    assert not fits(data, needed - 1)
    assert fits({"images": Selection(images, np.arange(10))}, int(1_000 / SHARE))


@pytest.mark.parametrize("memory", [1, 1 << 40])
def test_a_block_has_the_rows_of_its_steps_in_the_order_of_the_epoch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memory: int
) -> None:
    monkeypatch.setattr(host_rows, "BLOCK", 2 * 4 * 3 * 8)
    np.save(tmp_path / "array.npy", np.arange(26, dtype=np.uint8)[:, np.newaxis].repeat(3, axis=1))
    array = np.asarray(np.load(tmp_path / "array.npy", mmap_mode="r"))
    chosen = np.arange(25, 3, -1)  # 22 rows: 5 steps of 4, in blocks of 2 steps
    data = {"a": Selection(array, chosen), "b": np.arange(22, dtype=np.int64).repeat(2).reshape(22, 2)}
    rows = HostRows(data, Passes(22, 4, whole=False), lambda epoch: epoch_order(7, epoch, 22), memory)
    try:
        assert rows.steps == 2
        for step in (0, 1, 2, 4, 5, 6, 9, 3, 14):  # forwards, and back, as after a divergence
            block, epoch = rows.block(step), step // 5
            begin = (rows.first(step) - 5 * epoch) * 4
            assert begin // 4 in (0, 2, 4)
            count = (rows.end(step) - rows.first(step)) * 4
            expected = epoch_order(7, epoch, 22)[begin : begin + count]
            np.testing.assert_array_equal(block["a"][:count, 0], chosen[expected])
            np.testing.assert_array_equal(block["b"][:count, 1], expected)
    finally:
        rows.close()


def test_a_data_set_in_a_file_trains_as_one_in_memory(tiny_images: ImageSet, tmp_path: Path) -> None:
    tiny_images.write(tmp_path / "tiny.npz")
    ImageSet.unpack(tmp_path / "tiny.npz", tmp_path / "unpacked")
    mapped = ImageSet.open(tmp_path / "unpacked")

    class Mapped(Cramped):
        def image_set(self, name: str) -> ImageSet:
            return mapped

    spec = TrainSelfSupervised(dataset="tiny", method="autoencoder", units=(8,), epochs=3, seed=2)
    data = {"tiny": tmp_path / "tiny.npz"}
    on_device = state(spec, tmp_path / "device", data, LocalContext)
    assert state(spec, tmp_path / "host", data, Mapped) == on_device
    knn = [
        json.loads((tmp_path / name / "result.json").read_text())["knn_accuracy"]
        for name in ("device", "host")
    ]
    assert knn[0] == knn[1]


def test_a_selection_is_what_indexing_would_give() -> None:
    array = np.arange(60).reshape(20, 3)
    rows = np.array([5, 3, 19, 3])
    chosen = Selection(array, rows)
    np.testing.assert_array_equal(np.asarray(chosen), array[rows])
    np.testing.assert_array_equal(chosen[1:3], array[rows][1:3])
    assert (len(chosen), chosen.shape, chosen.nbytes) == (4, (4, 3), array[rows].nbytes)
