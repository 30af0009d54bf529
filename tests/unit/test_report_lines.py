"""Lines of metrics.jsonl."""

import json

import pytest

from jobs.checkpoints.reports import line_of, lines_up_to
from jobs.context import Progress


def test_a_report_is_one_line_with_its_metrics_beside_its_step() -> None:
    line = line_of(Progress(3, 10, "epoch 1/2", {"loss": 0.5}), total=10)
    assert line.endswith("}\n")
    assert json.loads(line) == {"step": 3, "total": 10, "stage": "epoch 1/2", "loss": 0.5}


@pytest.mark.parametrize("broken", ['{"step": 2', "[]\n", '{"stage": ""}\n', "\n"])
def test_lines_of_later_steps_and_half_lines_are_dropped(broken: str) -> None:
    lines = [line_of(Progress(step, 10)) for step in (1, 2, 3)]
    assert lines_up_to("".join(lines) + broken, 2) == "".join(lines[:2])
    assert lines_up_to("", 2) == ""
