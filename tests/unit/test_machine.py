"""A training that goes on under other conditions says so."""

import logging

import pytest

pytest.importorskip("tensorflow")

from jobs.training import machine


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")


def test_the_number_of_threads_is_that_of_the_environment_else_that_of_the_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert machine.description()["threads"] == "2"
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    assert int(machine.description()["threads"]) >= 1


def test_another_number_of_threads_is_warned_of_with_both_and_the_setting(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = machine.description()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "4")
    with caplog.at_level(logging.WARNING):
        machine.warn_if_unlike(saved, machine.description())
    (line,) = caplog.messages
    assert "saved with threads 2, this attempt runs with threads 4" in line
    assert "TRIPTYCH_THREADS" in line


def test_another_processor_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        machine.warn_if_unlike({"threads": "2", "processor": "An old one avx2"}, machine.description())
    (line,) = caplog.messages
    assert "saved with processor An old one avx2" in line
    assert machine.description()["processor"] in line


@pytest.mark.parametrize("known", [True, False])
def test_the_same_conditions_and_unknown_ones_are_not_worth_a_word(
    caplog: pytest.LogCaptureFixture, known: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        machine.warn_if_unlike(machine.description() if known else {}, machine.description())
    assert caplog.messages == []
