"""200 jobs under 100 faults: each ends as if nothing had happened. The tally is printed.

`make chaos` runs the same for as long as one likes, with other seeds.
"""

from pathlib import Path

import pytest

from tests.chaos.harness import Course, Run


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_200_jobs_under_100_faults_all_end_as_undisturbed_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course = Course(jobs=200, faults=100, seed=1)
    tally = Run(course, tmp_path, say=lambda line: None).go()
    with capsys.disabled():
        print(f"\n{tally.table()}")
    assert tally.breaches == []
    assert tally.faults.total() == course.faults
    assert tally.jobs == course.jobs
