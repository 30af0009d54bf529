"""How the pieces of a job's metrics make one file, whatever a listing shows."""

import pytest

from scheduler.keys import JobKeys
from scheduler.metrics_pieces import Gap, MetricsPiece, parts_of

WHOLE = MetricsPiece(3)
FIRST, SECOND, THIRD = (MetricsPiece(1, start, start + 10) for start in (0, 10, 20))
MERGED = MetricsPiece(1, 0, 20)


def read(pieces: list[MetricsPiece], attempt: int | None = None) -> list[tuple[str, int]]:
    return [(str(part.piece), part.size) for part in parts_of(pieces, attempt)]


@pytest.mark.parametrize("piece", [WHOLE, SECOND, MetricsPiece(2, 0, 15, of=1), MetricsPiece(12345, 7, 9)])
def test_a_name_can_be_read_back(piece: MetricsPiece) -> None:
    assert MetricsPiece.parse(JobKeys("a").metrics_piece(piece)) == piece
    assert MetricsPiece.parse("jobs/a/metrics/notes.txt") is None


def test_the_whole_file_has_the_key_that_it_always_had() -> None:
    assert JobKeys("a").metrics(3) == "jobs/a/metrics/0003.jsonl"


def test_pieces_follow_each_other_whatever_order_they_are_listed_in() -> None:
    assert read([THIRD, FIRST, SECOND]) == [(str(FIRST), 10), (str(SECOND), 10), (str(THIRD), 10)]
    assert read([]) == []
    assert read([FIRST], attempt=2) == []


def test_a_merged_piece_is_read_in_place_of_those_that_are_still_there() -> None:
    assert read([FIRST, MERGED, SECOND, THIRD]) == [(str(MERGED), 20), (str(THIRD), 10)]
    assert read([MERGED, SECOND, THIRD]) == [(str(MERGED), 20), (str(THIRD), 10)]


def test_a_listing_with_a_gap_is_noticed_and_read_up_to_it_if_it_stays() -> None:
    with pytest.raises(Gap):
        read([FIRST, THIRD])
    assert [part.piece for part in parts_of([FIRST, THIRD], None, gaps=True)] == [FIRST]


def test_what_another_attempt_has_sent_is_read_there_up_to_the_checkpoint_and_no_further() -> None:
    later = [MetricsPiece(2, 0, 15, of=1), MetricsPiece(2, 15, 40)]
    last = [MetricsPiece(4, 0, 25, of=2), MetricsPiece(4, 25, 30)]
    there = [FIRST, SECOND, THIRD, *later, *last]
    assert read(there) == [(str(FIRST), 10), (str(SECOND), 5), (str(later[1]), 10), (str(last[1]), 5)]
    assert read(there, attempt=2) == [(str(FIRST), 10), (str(SECOND), 5), (str(later[1]), 25)]
    # A version that knew no pieces has left its file; the next attempt goes on from a part of it.
    assert read([MetricsPiece(1), *later]) == [("0001.jsonl", 15), (str(later[1]), 25)]


def test_the_whole_file_is_all_there_is_to_read_once_it_is_there() -> None:
    assert [piece for piece, _ in read([FIRST, MetricsPiece(3, 0, 15, of=1), WHOLE])] == ["0003.jsonl"]
