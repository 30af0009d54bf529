"""When a schedule is due, with the days on which clocks are changed."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import InvalidSpec
from scheduler.schedules.cron import Cron
from scheduler.schedules.schedule import Definition, Missed, Overlap, Schedule
from scheduler.schedules.ticking import LATE, due

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

#: (expression, zone, after this, the next ones); what hours it names are those that the clocks show.
CHANGES = [
    # Berlin: 02:00 to 03:00 is skipped on 29 March, and comes twice on 25 October.
    ("0 2 * * *", BERLIN, "03-28T12:00+01:00", ["03-29T03:00+02:00", "03-30T02:00+02:00"]),
    ("30 2 * * *", BERLIN, "03-28T12:00+01:00", ["03-29T03:00+02:00", "03-30T02:30+02:00"]),
    ("*/20 2 * * *", BERLIN, "03-28T12:00+01:00", ["03-29T03:00+02:00", "03-30T02:00+02:00"]),
    ("0 2,3 * * *", BERLIN, "03-28T12:00+01:00", ["03-29T03:00+02:00", "03-30T02:00+02:00"]),
    ("0 */2 * * *", BERLIN, "03-29T00:00+01:00", ["03-29T03:00+02:00", "03-29T04:00+02:00"]),
    ("0 1 * * *", BERLIN, "03-28T12:00+01:00", ["03-29T01:00+01:00", "03-30T01:00+02:00"]),
    ("30 2 * * *", BERLIN, "10-24T12:00+02:00", ["10-25T02:30+02:00", "10-26T02:30+01:00"]),
    ("30 2 * * *", BERLIN, "10-25T02:30+02:00", ["10-26T02:30+01:00"]),
    ("30 2 * * *", BERLIN, "10-25T02:10+01:00", ["10-26T02:30+01:00"]),
    ("0 3 * * *", BERLIN, "10-24T12:00+02:00", ["10-25T03:00+01:00", "10-26T03:00+01:00"]),
    ("*/30 * * * *", BERLIN, "03-29T01:00+01:00", ["03-29T01:30+01:00", "03-29T03:00+02:00"]),
    (
        "*/30 * * * *",
        BERLIN,
        "10-25T02:00+02:00",
        ["10-25T02:30+02:00", "10-25T02:00+01:00", "10-25T02:30+01:00", "10-25T03:00+01:00"],
    ),
    ("15 0-23 * * *", BERLIN, "10-25T02:00+02:00", ["10-25T02:15+02:00", "10-25T02:15+01:00"]),
    # New York: 02:00 to 03:00 is skipped on 8 March, and 01:00 to 02:00 comes twice on 1 November.
    ("30 2 * * *", NEW_YORK, "03-07T12:00-05:00", ["03-08T03:00-04:00", "03-09T02:30-04:00"]),
    ("30 1 * * *", NEW_YORK, "03-07T12:00-05:00", ["03-08T01:30-05:00", "03-09T01:30-04:00"]),
    ("30 1 * * *", NEW_YORK, "10-31T12:00-04:00", ["11-01T01:30-04:00", "11-02T01:30-05:00"]),
    ("30 2 * * *", NEW_YORK, "10-31T12:00-04:00", ["11-01T02:30-05:00", "11-02T02:30-05:00"]),
    # Lord Howe changes by half an hour: 02:00 to 02:30 is skipped on 4 October, and 01:30 to 02:00 comes
    # twice on 5 April.
    ("0 2 * * *", LORD_HOWE, "10-03T12:00+10:30", ["10-04T02:30+11:00", "10-05T02:00+11:00"]),
    ("15 2 * * *", LORD_HOWE, "10-03T12:00+10:30", ["10-04T02:30+11:00", "10-05T02:15+11:00"]),
    ("45 2 * * *", LORD_HOWE, "10-03T12:00+10:30", ["10-04T02:45+11:00", "10-05T02:45+11:00"]),
    ("45 1 * * *", LORD_HOWE, "04-04T12:00+11:00", ["04-05T01:45+11:00", "04-06T01:45+10:30"]),
    ("15 1 * * *", LORD_HOWE, "04-04T12:00+11:00", ["04-05T01:15+11:00", "04-06T01:15+10:30"]),
    ("*/15 * * * *", LORD_HOWE, "10-04T01:30+10:30", ["10-04T01:45+10:30", "10-04T02:30+11:00"]),
    (
        "*/15 * * * *",
        LORD_HOWE,
        "04-05T01:30+11:00",
        ["04-05T01:45+11:00", "04-05T01:30+10:30", "04-05T01:45+10:30", "04-05T02:00+10:30"],
    ),
]


def at(text: str) -> float:
    return datetime.fromisoformat(f"2026-{text}").timestamp()


@pytest.mark.parametrize(("text", "zone", "after", "expected"), CHANGES)
def test_a_time_that_is_skipped_comes_after_the_gap_and_one_that_comes_twice_comes_once(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert Cron(text, zone).following(at(after), len(expected)) == [at(each) for each in expected]


@pytest.mark.parametrize(("text", "zone", "after", "expected"), CHANGES)
def test_the_last_one_before_a_moment_is_the_one_that_came(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    cron = Cron(text, zone)
    ticks = cron.following(at(after), 30)
    for before, tick in pairwise(ticks):
        assert cron.latest(tick) == tick
        assert cron.latest(tick - 0.5) == before
        assert cron.latest(tick - 1) == before


def test_seconds_may_stand_first_and_some_expressions_have_names() -> None:
    start = at("03-27T12:00+00:00")
    assert Cron("*/20 * * * * *", "UTC").following(start + 0.7, 3) == [start + 20, start + 40, start + 60]
    assert Cron("@daily", "UTC").after(start) == start + 12 * 3600
    assert Cron("0 12 * * MON-FRI", "UTC").after(start) == start + 3 * 24 * 3600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0 2",
        "61 2 * * *",
        "0 2 30 2 *",
        "0 0 * * 8",
        "@reboot",
        "H H * * *",
        "* " * 300,
        "0 0 ² * *",
    ],
)
def test_what_is_no_expression_is_refused_in_a_sentence_that_says_what_is(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"is no cron expression.*'0 2 \* \* \*'"):
        Cron(text, "UTC")


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe", "../UTC", "UTC\0", "x" * 3000])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidSpec, match="unknown time zone"):
        Cron("0 2 * * *", zone)


def test_a_day_that_the_clocks_skip_comes_at_its_end() -> None:
    # Samoa had no 30 December in 2011.
    zone = ZoneInfo("Pacific/Apia")
    ticks = Cron("0 12 * * *", "Pacific/Apia").following(
        datetime(2011, 12, 29, 13, tzinfo=zone).timestamp(), 2
    )
    assert [datetime.fromtimestamp(tick, zone).isoformat()[:16] for tick in ticks] == [
        "2011-12-31T00:00",
        "2011-12-31T12:00",
    ]


def schedule(cron: str, missed: Missed, last: float) -> Schedule:
    definition = Definition("name", "id", cron, "UTC", {}, missed, Overlap.ALLOW, 5, None, last, [])
    return Schedule(**definition.to_json(), last=last)


def test_late_ticks_are_all_dealt_with_and_missed_ones_count_as_one() -> None:
    last = at("03-27T12:00:00+00:00")
    often = schedule("* * * * * *", Missed.ONCE, last)
    assert due(often, last + 0.9) == []
    assert due(often, last + 3.5) == [(last + 1, False), (last + 2, False), (last + 3, False)]
    assert len(due(often, last + LATE)) == LATE
    assert due(often, last + 100_000.5) == [(last + 100_000, False)]
    hourly = schedule("0 * * * *", Missed.SKIP, last)
    assert due(hourly, last + 3600 + LATE) == [(last + 3600, False)]
    assert due(hourly, last + 3 * 3600 + 1) == [(last + 3 * 3600, True)]
