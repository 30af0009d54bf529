"""What a shell gets at TAB: kinds, their fields and their values, asked as a shell asks it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import catalog
from scheduler.cli.commands import app
from scheduler.cli.schema import fields_of
from tests.servers import missing

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; sys.argv = ['triptych']; from scheduler.cli import main; main()"
HEAVY = {"tensorflow", "keras", "matplotlib", "celery", "redis", "minio", "numpy", "PIL"}


def asked(**variables: str) -> list[str]:
    result = CliRunner().invoke(app, [], env=variables, prog_name="triptych")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return [line for line in result.stdout.splitlines() if line]  # a shell passes over empty ones


def offered(*words: str) -> list[str]:
    """What bash is given for the last of these words."""
    return asked(
        _TRIPTYCH_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(("triptych", *words)),
        COMP_CWORD=str(len(words)),
    )


@pytest.mark.parametrize("command", [["submit"], ["run"], ["verify-resume"], ["jobs", "--kind"]])
def test_every_kind_is_offered_where_one_is_wanted(command: list[str]) -> None:
    assert offered(*command, "") == list(catalog.kinds())
    assert offered(*command, "trial.ann") == ["trial.annex.count"]
    assert offered(*command, "trial.none") == []


def test_kinds_are_offered_by_technique_and_application_as_well() -> None:
    groups = sorted(name for name in catalog.applications() if name.partition(".")[0] == "gan")
    assert groups == ["gan", "gan.style"]
    kinds = [kind for kind in catalog.kinds() if kind.startswith("gan.")]
    assert offered("kinds", "gan") == [*groups, *kinds]
    assert "trial.annex" in offered("kinds", "")


@pytest.mark.parametrize("command", ["submit", "run", "verify-resume"])
@pytest.mark.parametrize("kind", ["gan.train", "trial.annex.count"])
def test_every_field_of_the_kind_is_offered_beside_the_options(command: str, kind: str) -> None:
    fields = [field.flag for field in fields_of(catalog.spec_type(kind))]
    assert offered(command, kind, "") == fields
    found = offered(command, kind, "--")
    assert {*fields, "--help"} <= set(found)
    assert len(found) == len(set(found))


def test_a_field_that_is_given_is_not_offered_again_whichever_way_it_was_written() -> None:
    for given in (["--epochs", "3"], ["--epochs=3"]):
        assert "--epochs" not in offered("submit", "gan.train", *given, "--")
    assert "--batch-size" not in offered("submit", "gan.train", "--batch_size", "8", "--")
    assert offered("submit", "--watch", "gan.train", "--ep") == ["--epochs"]
    assert offered("submit", "gan.train", "--limits.wall") == ["--limits.wall-seconds"]


def test_values_are_offered_where_a_field_has_few_and_nothing_else_is() -> None:
    assert offered("submit", "gan.train", "--architecture", "dc") == ["dcgan"]
    assert offered("submit", "gan.train", "--architecture", "=", "dc") == ["dcgan"]
    assert offered("run", "gan.train", "--conditional", "") == ["true", "false"]
    assert offered("run", "gan.train", "--epochs", "") == []


def test_the_kind_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({"kind": "gan.train"}))
    assert offered("run", str(file), "--ep") == ["--epochs"]
    assert offered("submit", "--spec", str(file), "--ep") == ["--epochs"]
    assert offered("submit", "--spec", str(file), "--epochs", "3", "--lat") == ["--latent-dim"]


@pytest.mark.parametrize("kind", ["gan.nothing", "nothing", "missing.json", "-", "&", "中文", "x" * 500])
def test_what_is_no_kind_gets_the_options_alone_and_no_error(kind: str) -> None:
    assert offered("submit", kind, "--") == offered("submit", "--")


def test_each_offer_is_one_line_in_fish_and_says_what_it_means() -> None:
    lines = asked(
        _TRIPTYCH_COMPLETE="complete_fish",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_ARGS="triptych submit gan.train --",
    )
    assert [line.partition("\t")[0] for line in lines] == offered("submit", "gan.train", "--")
    assert all(line.partition("\t")[2] for line in lines)


def test_a_real_bash_completes_by_the_script_that_it_is_given(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        missing("bash")
    command = tmp_path / "triptych"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}"\n')
    command.chmod(0o755)
    script = """
        eval "$(_TRIPTYCH_COMPLETE=source_bash triptych)"
        COMP_WORDS=(triptych submit gan.train --ep) COMP_CWORD=3
        _triptych_completion triptych
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    around = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = subprocess.run([bash, "-c", script], env=around, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("--epochs\n", "")


def test_nothing_heavy_is_imported_between_two_keys() -> None:
    script = f"import atexit; atexit.register(lambda: print(*{HEAVY} & set(sys.modules))); {PROGRAM}"
    around = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_TRIPTYCH_COMPLETE": "complete_bash",
        "COMP_WORDS": "triptych submit gan.train --ep",
        "COMP_CWORD": "3",
    }
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, env=around, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["--epochs", ""]
