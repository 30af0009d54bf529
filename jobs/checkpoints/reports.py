"""The lines of metrics.jsonl: what a report becomes, and which lines belong to a checkpoint."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.context import Progress


def line_of(progress: "Progress", **about: float) -> str:
    """A report as a line.

    Args:
        progress: the report.
        about: what else is worth a column, such as the time.
    """
    line = {"step": progress.step, **about, "stage": progress.stage, **progress.metrics}
    return json.dumps(line) + "\n"


def lines_up_to(text: str, step: int) -> str:
    """The lines of steps that are done; those of later steps are written again when these are done again.

    Half a line is dropped: the process was killed while writing it.
    """
    return "".join(line + "\n" for line in text.splitlines() if _belongs(line, step))


def _belongs(line: str, step: int) -> bool:
    try:
        return bool(json.loads(line)["step"] <= step)
    except (ValueError, KeyError, TypeError):
        return False
