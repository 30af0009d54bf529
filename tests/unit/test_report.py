"""The page about a job: what is on it, and that nothing on it can be more than text."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from jobs import TrainGan
from jobs.context import Progress
from jobs.pictures import png
from scheduler import FailureCause, JobState
from scheduler.record import JobRecord
from scheduler.report.curves import POINTS, charts
from scheduler.report.material import Material
from scheduler.report.page import render
from scheduler.report.storing import STATE

RECORD = JobRecord(
    id="0123456789abcdef",
    kind="gan.train",
    state=JobState.SUCCEEDED,
    pool="cpu",
    priority=5,
    spec=TrainGan(dataset="digits", epochs=7).to_wire(),
    created=1_000_000.0,
    attempt=2,
    failures=0,
    inputs={},
    parents=(),
    started=1_000_010.0,
    attempt_started=1_000_050.0,
    finished=1_000_090.0,
    worker="cpu@second",
    cause=None,
    message="",
    progress=Progress(70, 70, "epoch 7/7", {"d_loss": 0.5}),
    cancel_requested=False,
    preempted=False,
    fingerprint="",
)
LOST = {
    "attempt": 1,
    "worker": "cpu@first",
    "cause": "WORKER_LOST",
    "message": "was lost",
    "ended": 1_000_050.0,
}
EVIL = "<script>alert(1)</script>\"'&"


def lines(count: int, **metrics: float) -> list[dict[str, float | str]]:
    return [{"step": step, "time": float(step), "stage": "", **metrics} for step in range(1, count + 1)]


class Checked(HTMLParser):
    """Every tag that is opened is closed in turn."""

    EMPTY = frozenset({"meta", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.sources: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name, _ in attrs)
        self.attributes += [value or "" for _, value in attrs]
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**changes: object) -> Checked:
    return Checked(render(replace(Material(RECORD), **changes)))  # type: ignore[arg-type]


def test_it_tells_spec_curves_pictures_result_attempts_and_environment() -> None:
    picture = png(np.zeros((4, 4)))
    told = page(
        attempts=[LOST],
        metrics=lines(30, d_loss=0.25, g_loss=0.75),
        result={"d_loss": 0.25, "epochs": 7},
        frames={10: picture, 70: picture},
        pictures={"samples.png": picture},
        files={"samples.png": 123, "generator.safetensors": 4_567},
        environments={1: {"worker": "cpu@first", "tensorflow": "2.21.0"}, 2: {"worker": "cpu@second"}},
    )
    for expected in (
        *("gan.train", RECORD.id, "SUCCEEDED", "epochs", "digits", "70 of 70", "80 s"),
        *("d_loss, g_loss", "step 10", "step 70", "samples.png", "4,567 bytes"),
        *("WORKER_LOST", "was lost", "cpu@first", "cpu@second", "2.21.0"),
    ):
        assert expected in told.text, expected
    assert len(told.sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in told.sources)


def test_it_needs_nothing_from_anywhere() -> None:
    text = render(Material(RECORD, metrics=lines(30, loss=1.0)))
    assert not re.findall(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_what_comes_from_a_job_stays_text() -> None:
    text = render(
        Material(
            replace(RECORD, state=JobState.FAILED, cause=FailureCause.BUG, message=EVIL, worker=EVIL),
            attempts=[{**LOST, "message": EVIL}],
            metrics=[{**line, EVIL: 1.0} for line in lines(3)],
            result={EVIL: EVIL},
            pictures={f"{EVIL}.png": b"x"},
            left_out=[EVIL],
            files={EVIL: 1},
            environments={1: {EVIL: EVIL}},
            log=EVIL,
        )
    )
    Checked(text)
    assert "<script" not in text


@pytest.mark.parametrize(
    "name", ["a<b & c>d", 'it\'s "quoted"', "&lt;kept&amp;", "n" * 200, "生成对抗网络", EVIL]
)
def test_a_name_of_any_text_is_read_as_it_is_wherever_it_stands(name: str) -> None:
    told = page(
        record=replace(
            RECORD,
            state=JobState.FAILED,
            cause=FailureCause.BUG,
            message=name,
            worker=name,
            spec={name: name},
        ),
        attempts=[{**LOST, "worker": name, "message": name}],
        metrics=[{**line, name: 1.0} for line in lines(3)],
        result={name: name, f"{name} 2": 0.5},
        pictures={f"{name}.png": b"x"},
        left_out=[name],
        files={name: 1},
        environments={1: {name: name}, 2: {}},
        log=f"before\n{name}\nafter",
    )
    assert f"BUG: {name}" in told.text
    assert f"before\n{name}\nafter" in told.text
    assert f"Too large to be shown: {name}\n" in told.text
    assert told.text.count(name) >= 15
    assert f"{name}.png" in told.attributes
    assert f"{name} over steps" in told.attributes


def test_the_state_of_a_page_is_where_a_reader_of_stored_pages_looks_for_it() -> None:
    for state in JobState:
        text = render(Material(replace(RECORD, state=state)))
        assert [other for other in JobState if STATE.format(other) in text] == [state]


def test_a_job_that_has_not_begun_has_a_page_too() -> None:
    waiting = replace(
        RECORD, state=JobState.QUEUED, attempt=0, started=None, finished=None, worker="", progress=None
    )
    told = page(record=waiting).text
    assert "QUEUED" in told
    assert "Attempts" not in told


def test_fields_other_than_the_default_stand_out_and_an_unknown_kind_is_shown_as_it_is() -> None:
    text = render(Material(RECORD))
    assert '<tr class="set"><th>epochs</th>' in text
    assert "<tr><th>latent_dim</th>" in text
    stranger = replace(RECORD, kind="far.away", spec={"kind": "far.away", "size": 3})
    assert "size" in page(record=stranger).text


def test_the_last_attempt_of_a_failed_job_is_told_once() -> None:
    failed = replace(RECORD, state=JobState.FAILED, cause=FailureCause.WORKER_LOST, message="gone", attempt=1)
    told = render(Material(failed, attempts=[LOST]))
    assert told.count("<tr><th>1</th>") == 1


def test_metrics_that_are_named_alike_share_a_chart() -> None:
    named = ("d_loss", "g_loss", "d_real", "d_fake", "accuracy", "frechet_distance")
    drawn = charts(lines(5, **dict.fromkeys(named, 0.5)))
    assert [chart.title for chart in drawn] == [
        "d_loss, g_loss",
        "d_real, d_fake",
        "accuracy",
        "frechet_distance",
    ]


def test_a_long_curve_keeps_its_extremes_within_few_points() -> None:
    values = [math.sin(step / 500) + (5.0 if step == 7_777 else 0.0) for step in range(100_000)]
    (chart,) = charts({"step": step, "time": 0.0, "loss": value} for step, value in enumerate(values))
    (curve,) = chart.curves
    assert len(curve.points) <= POINTS
    assert max(curve.high) == max(values)
    assert min(curve.low) == min(values)
    assert curve.last == values[-1]


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ((1.0, 2.0), False),
        ((1e-4, 1.0), True),
        ((-1.0, 1e6), False),
        ((0.0, 1e6), False),
        ((3.0, 3.0), False),
    ],
)
def test_an_axis_is_logarithmic_where_values_lie_far_apart_and_above_nothing(
    values: tuple[float, ...], logarithmic: bool
) -> None:
    (chart,) = charts({"step": step, "loss": value} for step, value in enumerate(values))
    assert chart.logarithmic is logarithmic
    drawn = render(
        Material(RECORD, metrics=[{"step": s, "time": 0.0, "loss": v} for s, v in enumerate(values)])
    )
    svg = drawn[drawn.index("<svg") : drawn.index("</svg>")]
    places = [float(number) for number in re.findall(r"[ ,\"](-?\d+\.\d)", svg)]
    assert places
    assert all(0 <= place <= 420 for place in places)


def test_values_that_are_no_numbers_leave_a_gap_and_no_fault() -> None:
    found: list[Mapping[str, object]] = [
        *lines(3, loss=math.nan),
        *lines(3, loss=1.0),
        {"step": 9, "loss": None},
    ]
    (chart,) = charts(found)
    assert all(math.isfinite(value) for _, value in chart.curves[0].points)


def test_names_of_classes_are_shown_as_they_are_and_turn_nothing_around() -> None:
    names = ("中文", "a <b>bold</b> & b|c", "\u202ereversed", "two\nlines", "caf\udce9", "{{ 7 * 7 }}")
    shares = dict.fromkeys(names, 0.5)
    record = replace(RECORD, spec={"kind": "gan.train", "labels": list(names)})
    text = render(Material(record, result={"class_shares": shares}))
    assert text.encode()
    assert text.count("中文") >= 2
    assert "&lt;b&gt;bold" in text
    assert "<b>bold" not in text
    assert "{{ 7 * 7 }}" in text
    assert "\u202e" not in text
