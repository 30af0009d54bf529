"""Inputs of every reader that were changed at random end in a result, or in one sentence that says where."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs import catalog
from jobs.datasets import bundle
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.packing import pack
from jobs.datasets.texts.intake import take
from jobs.errors import BadInput, InvalidSpec, TriptychError
from tests.mutations.trial import tried


@pytest.mark.filterwarnings("ignore")  # what libraries remark on damaged files is not what is asked here
def test_changed_inputs_end_in_a_result_or_in_one_sentence() -> None:
    """`python -m tests.mutations 500` tries more of them; here as many as 12 seconds allow."""
    tally = tried(500, seed=15, seconds=12)
    print(tally)
    assert not tally.faults, "\n".join(tally.faults)
    assert {"result", "refused"} <= {end for _, end in tally.ends}


# What changes by other seeds have found.


@pytest.mark.parametrize("bit", [0, 5])
def test_an_archive_whose_flags_ask_for_a_password_or_a_patch_is_refused_by_its_name(
    bit: int, tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    content = bytearray((tmp_path / "mine.npz").read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1 << bit
    (tmp_path / "mine.npz").write_bytes(content)
    for read in (pack, ImageSet.read, lambda path: bundle.unpack(path, tmp_path / "unpacked")):
        with pytest.raises(BadInput, match=r"mine\.npz cannot be read"):
            read(tmp_path / "mine.npz")


def test_labels_that_no_memory_would_hold_are_refused_by_the_name_of_their_file(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (10**15,)})
    np.savez(tmp_path / "mine.npz", images=np.zeros((2, 4, 4), np.uint8))
    with zipfile.ZipFile(tmp_path / "mine.npz", "a") as file:
        file.writestr("labels.npy", header.getvalue())
    with pytest.raises(BadInput, match=r"mine\.npz cannot be read"):
        pack(tmp_path / "mine.npz")


@pytest.mark.parametrize(("name", "content"), [("deep.jsonl", "[" * 100_000), ("empty.tsv", "")])
def test_a_file_of_texts_that_is_none_is_refused_by_the_name_that_it_has(
    name: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInput, match=name):
        take(tmp_path / name, tmp_path / "taken")


def test_a_sentence_that_quotes_something_long_stays_one_that_can_be_read() -> None:
    for changed in ({"kind": "x" * 5_000}, {"kind": "gan.train", "y" * 5_000: 1}):
        with pytest.raises(InvalidSpec) as refusal:
            catalog.parse(json.loads(json.dumps(changed)))
        assert len(str(refusal.value)) < 1_500
    long = str(TriptychError(f"the file {'x' * 5_000} cannot be read; save it again"))
    assert long.startswith("the file") and long.endswith("save it again") and len(long) <= 2_000
