"""Every test that docs/guarantees.md names is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "guarantees.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    file, found = "", 0
    for named, test in re.findall(r"`(?:(\w+/test_\w+\.py))?(?:::(test_\w+))?`", PAGE):
        file = named or file
        if not (named or test):
            continue
        assert (TESTS / file).is_file(), file
        assert not test or f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"
        found += 1
    assert found > 20


def test_every_fault_of_the_table_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count(" | ") == 3]
    assert len(rows) > 10
    assert all("::test_" in row for row in rows[1:])
