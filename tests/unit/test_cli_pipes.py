"""What a command prints into a pipe, whatever the environment says of colours, widths and encodings."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from scheduler.cli import main; main()"]


def piped(*words: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    return subprocess.run([*COMMAND, *words], env={**env, **variables}, capture_output=True, check=False)


@pytest.mark.parametrize(
    "variables",
    [
        {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "10"},
        {"CLICOLOR_FORCE": "1", "GITHUB_ACTIONS": "true", "TERM": "xterm-256color"},
        {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "0"},
    ],
)
def test_a_pipe_gets_the_same_bytes_whatever_is_said_of_terminals(
    variables: dict[str, str], tmp_path: Path
) -> None:
    words = ("run", "trial.echo", "--text", "x", "--out", str(tmp_path / "out"))
    plain, other = piped(*words), piped(*words, **variables)
    assert plain.returncode == other.returncode == 0, other.stderr
    assert (plain.stdout, plain.stderr) == (other.stdout, other.stderr)
    assert b"\x1b" not in other.stdout + other.stderr


def test_an_error_in_a_pipe_has_no_colour_either() -> None:
    found = piped("show", "x", FORCE_COLOR="1", TRIPTYCH_POOL="cpu")
    assert found.returncode == 1
    assert found.stderr.startswith(b"error: no servers known")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_a_character_ends_no_command(encoding: str, tmp_path: Path) -> None:
    words = ("run", "trial.echo", "--text", "漢字 ×", "--out", str(tmp_path / "o"))
    found = piped(*words, PYTHONIOENCODING=encoding)
    assert found.returncode == 0, found.stderr
    assert b"\\u6f22\\u5b57" in found.stdout


def test_a_locale_without_unicode_ends_no_command() -> None:
    found = piped("kinds", LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert found.returncode == 0, found.stderr
    assert b"trial.walk" in found.stdout


def test_a_reader_that_leaves_ends_the_command_in_silence() -> None:
    process = subprocess.Popen([*COMMAND, "kinds"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before a single byte was read
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_an_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run([*COMMAND, "kinds"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert line.startswith(b"error: the output or the disk: No space left")


def test_a_closed_output_is_no_error() -> None:
    script = f"exec {sys.executable} -c 'from scheduler.cli import main; main()' kinds >&-"
    assert subprocess.run(["/bin/sh", "-c", script], check=False, stderr=subprocess.PIPE).returncode == 0


#: Presses Ctrl-C when a module is first looked for.
INTERRUPTED_AT = """
import os, signal, sys

module = sys.argv.pop(1)

class Interrupting:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from scheduler.cli import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "rich.console", "jobs.catalog"])
def test_an_interrupt_while_the_command_is_imported_ends_it_in_silence(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT, module, "kinds", "trial.walk"]
    found = subprocess.run(command, capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (128 + signal.SIGINT, b"", b"")


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    script = "trap '' INT; exec \"$@\""
    command = [sys.executable, "-c", INTERRUPTED_AT, "typer", "kinds", "trial.walk"]
    found = subprocess.run(["/bin/sh", "-c", script, "sh", *command], capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"")
