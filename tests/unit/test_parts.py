"""Dividing a job: where it is cut, and that the whole is what the undivided job comes to."""

from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Rows

from jobs import catalog
from jobs.dividing.parts import PARTS_PER_SLOT, Cuts, checked_wanted
from jobs.dividing.running import run_divided
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally


@pytest.mark.parametrize(("rows", "window"), [(20, 3), (21, 3), (1, 5), (1000, 1)])
@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_parts_hold_every_row_once_and_are_cut_between_windows(rows: int, window: int, count: int) -> None:
    cuts = Cuts.every(window, rows)
    parts = cuts.parts(cuts.wanted(count, slots=1))
    assert [row for part in parts for row in range(part.first, part.end)] == list(range(rows))
    assert all(part.rows > 0 and part.first % window == 0 for part in parts)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) == min(count, -(-rows // window))


def test_auto_is_a_few_parts_for_each_slot_but_none_too_small_to_be_worth_it() -> None:
    assert Cuts.every(10, 10_000).wanted("auto", slots=4) == 4 * PARTS_PER_SLOT
    assert Cuts.every(10, 10_000, least=200).wanted("auto", slots=4) == 5
    assert Cuts.every(10, 30, least=200).wanted("auto", slots=4) == 1
    assert Cuts.every(10, 0).wanted("auto", slots=4) == 1


@pytest.mark.parametrize("parts", [0, -1, 5_001, "many", 2.0, True, None])
def test_other_numbers_of_parts_are_refused(parts: object) -> None:
    with pytest.raises(InvalidSpec, match="allowed are a number from 1 to 5000, and 'auto'"):
        checked_wanted(parts)


def test_a_kind_that_cannot_be_divided_says_which_can(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"trial\.echo cannot be divided into parts.*transformer\.classify"):
        run_divided(Echo(), tmp_path, 2)


def test_every_divisible_kind_has_what_its_division_takes() -> None:
    pytest.importorskip("tensorflow")
    divisible = [kind for kind, spec in catalog.kinds().items() if spec.divisible]
    assert {"gan.generate", "selfsupervised.encode", "transformer.classify"} < set(divisible)
    for kind in divisible:
        for name in ("cuts", "compute", "join"):
            assert callable(getattr(catalog.action(kind), name)), f"{kind}: {name}"


@pytest.mark.parametrize("parts", [1, 2, 7, "auto"])
def test_a_divided_job_comes_to_what_the_undivided_one_does(tmp_path: Path, parts: int | str) -> None:
    spec = Rows(rows=20, window=3)
    alone = run_locally(spec, tmp_path / "alone")
    assert run_divided(spec, tmp_path / "divided", parts, slots=2) == alone  # type: ignore[arg-type]
    name = "artifacts/rows.bin"
    assert (tmp_path / "divided" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_parts_that_are_done_are_not_done_again(tmp_path: Path) -> None:
    spec = Rows(rows=20, window=3, bad_part=2, mended_by=str(tmp_path / "mended"))
    with pytest.raises(BadInput, match="this part cannot be done"):
        run_divided(spec, tmp_path / "divided", 3)
    first = tmp_path / "divided/parts/0001/shards/rows.npy"
    written = first.stat().st_mtime_ns
    (tmp_path / "mended").touch()
    assert run_divided(spec, tmp_path / "divided", 3) == run_locally(spec, tmp_path / "alone")
    assert first.stat().st_mtime_ns == written
