"""`triptych demo`, with a shorter training than the real one."""

import os
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from jobs import TrainGan
from scheduler.cli.commands import app
from scheduler.embedded import Stack
from tests.servers import remember_free_ports, stack_surroundings


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.gan.spec.DEMO", TrainGan(architecture="mlp", epochs=3))


def demo(*words: str) -> Result:
    return CliRunner().invoke(app, ["demo", *words])


def pictures_are_in(folder: Path) -> None:
    with Image.open(folder / "generated.png") as grid:
        assert min(grid.size) > 8 * 28
        low, high = grid.convert("L").getextrema()
        assert high - low > 100
    assert (folder / "training" / "artifacts" / "losses.png").exists()
    assert len(list((folder / "training" / "samples").glob("*.png"))) >= 2
    assert len(list((folder / "generated" / "artifacts" / "images").glob("*.png"))) == 64


def test_demo_uses_a_stack_that_is_up_and_leaves_it_up(stack: Stack, tmp_path: Path) -> None:
    result = demo("--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    pictures_are_in(tmp_path / "out")
    assert stack.status().ready
    assert str(tmp_path / "out" / "generated.png") in result.stdout
    assert f"Flower: {stack.status().flower_url}, user triptych, password in " in result.stderr
    for secret in stack.home.secrets.iterdir():
        assert secret.read_text().strip() not in result.output


@pytest.mark.slow
def test_demo_starts_a_stack_and_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(os.environ["TRIPTYCH_HOME"])
    remember_free_ports(root)
    monkeypatch.chdir(tmp_path)
    with stack_surroundings("seaweed"):
        try:
            result = demo()
            assert result.exit_code == 0, result.output
            assert not Stack(root).status().running
        finally:
            Stack(root).down()
    pictures_are_in(tmp_path / "triptych-demo")


@pytest.mark.slow
def test_a_demo_that_fails_leaves_no_stack_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(os.environ["TRIPTYCH_HOME"])
    remember_free_ports(root)
    monkeypatch.setattr("jobs.gan.spec.DEMO", TrainGan(architecture="mlp", dataset="no-such-data"))
    with stack_surroundings("seaweed"):
        try:
            result = demo("--keep", "--out", str(tmp_path / "out"))
            assert result.exit_code == 1
            assert "there is no data set 'no-such-data'" in result.stderr
            assert not Stack(root).status().running
        finally:
            Stack(root).down()
