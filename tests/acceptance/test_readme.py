"""What the README's first screen shows is run as it stands there."""

import re
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import jobs
from scheduler import Client, JobState
from scheduler.embedded import Stack

README = Path(__file__).parents[2] / "README.md"


def python_lines() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    return block


def test_the_first_screen_is_short() -> None:
    lines = README.read_text().splitlines()
    assert lines.index("    make demo") < 25
    assert lines.index("job.images()[-1].show()") < 25
    assert len([line for line in python_lines().splitlines() if line]) == 6


def test_every_page_and_picture_that_the_documents_name_is_there() -> None:
    root = README.parent
    pages = [README, root / "CONTRIBUTING.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
    missing = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert missing == []


def test_the_python_lines_submit_a_job_and_show_its_bar_and_its_picture(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image))
    # The same lines, and a shorter training.
    monkeypatch.setattr(jobs, "TrainGan", partial(jobs.TrainGan, epochs=1, judge_every=0))
    exec(compile(python_lines(), str(README), "exec"), {})
    (picture,) = shown
    assert min(picture.size) > 100
    newest = Client().list(kind="gan.train", limit=1)[0]
    assert newest.state is JobState.SUCCEEDED
    assert newest.id in capsys.readouterr().out
