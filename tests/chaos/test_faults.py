"""200 jobs under 100 faults: each ends as if nothing had happened. The tally is printed.

`make chaos` runs the same for as long as one likes, with other seeds.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.harness import Course, Run


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_200_jobs_under_100_faults_all_end_as_undisturbed_ones(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    course = Course(jobs=200, divided=10, faults=100, seed=1)
    tally = Run(course, tmp_path, say=lambda line: None).go()
    record_property("told", tally.table())
    assert tally.breaches == []
    assert tally.faults.total() == course.faults
    assert (tally.jobs, tally.divided) == (course.jobs, course.divided)
