from pathlib import Path

import pytest

from jobs.checkpoints.sealed import seal, unseal
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import InvalidSpec
from jobs.local import LocalContext


def test_every_damaged_byte_is_noticed() -> None:
    sealed = seal(b"content")
    assert unseal(sealed) == b"content"
    assert unseal(seal(b"")) == b""
    for number in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[number] ^= 1
        assert unseal(bytes(damaged)) is None
    assert unseal(sealed[:-1]) is None
    assert unseal(b"") is None


def test_jobs_beside_each_other_share_a_cache_whose_damaged_entries_are_made_anew(tmp_path: Path) -> None:
    made: list[str] = []

    def ask(job: str, name: str = "features/a") -> bytes:
        with LocalContext(tmp_path / job) as context:
            return context.cached(name, lambda: (made.append(job), b"weights")[1])

    assert ask("first") == ask("second") == b"weights"
    assert made == ["first"]
    (entry,) = (path for path in (tmp_path / ".triptych-cache").rglob("*") if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-1])
    assert ask("third") == ask("fourth") == b"weights"
    assert made == ["first", "third"]
    with pytest.raises(InvalidSpec):
        ask("fifth", "../entry")


def test_a_data_set_that_a_job_makes_lies_in_its_folder(tmp_path: Path, tiny_images: ImageSet) -> None:
    with LocalContext(tmp_path / "job") as context:
        context.save_data_set("made", tiny_images)
        context.save_data_set("made", tiny_images)
        with pytest.raises(InvalidSpec):
            context.save_data_set("../made", tiny_images)
    with LocalContext(tmp_path / "other", {"mine": tmp_path / "job/datasets/made.npz"}) as context:
        assert context.image_set("mine").digest == tiny_images.digest
