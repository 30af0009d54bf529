"""docs/new-family.md is followed to the letter, and ends in a family that works."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "new-family.md").read_text()


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment in which the family of the page is installed."""
    site = tmp_path / "site"
    package = site / "my_numbers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, block in re.findall(r"^`(\w+\.py)`.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE):
        (package / name).write_text(block)
    assert {path.name for path in package.iterdir()} == {"__init__.py", "spec.py", "add.py"}
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    groups = tomllib.loads(toml)["project"]["entry-points"]
    about = site / "my_numbers-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-numbers\nVersion: 1.0\n")
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def triptych(command: str, folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", "from scheduler.cli import main; main()", *command.split()[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_family_of_the_page_is_listed_and_runs(tmp_path: Path, installed: dict[str, str]) -> None:
    (console,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    listing, running, _submitting = [line.removeprefix("$ ") for line in console.splitlines()]
    assert "--upto\tinteger\trequired\t1 to 1000000" in triptych(listing, tmp_path, installed)
    assert triptych(running, tmp_path, installed) == "total\t55\n"
    assert (tmp_path / "out" / "artifacts" / "sum.txt").read_text() == "55"
