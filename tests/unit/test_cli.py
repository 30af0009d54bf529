"""The command line without any server: help, kinds, and how errors end."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from typer.testing import CliRunner, Result

from jobs import catalog
from scheduler.cli import app
from scheduler.cli.moment import seconds_since_1970
from scheduler.cli.schema import fields_of

COMMANDS = (
    *("demo", "up", "down", "status"),
    *(
        "submit",
        "jobs",
        "show",
        "watch",
        "logs",
        "cancel",
        "artifacts",
        "images",
        "report",
        "workers",
        "recover",
    ),
    *("kinds", "datasets", "run", "verify-resume"),
)


@pytest.fixture(autouse=True)
def no_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "S3_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.delenv(f"TRIPTYCH_{name}", raising=False)
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def triptych(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def error_of(*words: str) -> str:
    """The one line on stderr of a command that fails, and fails properly."""
    result = triptych(*words)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def test_help_names_every_command() -> None:
    result = triptych("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = triptych(command, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage: triptych" in result.stdout


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert triptych("--version").stdout == f"triptych {version('triptych')}\n"


def test_kinds_in_a_pipe_are_one_field_a_line_for_every_field_of_every_kind() -> None:
    rows = [line.split("\t") for line in triptych("kinds").stdout.splitlines()]
    assert {len(row) for row in rows} == {6}
    expected = {
        (kind, "--" + field.name.replace("_", "-"))
        for kind, spec in catalog.kinds().items()
        for field in fields_of(spec)
    }
    assert {(row[0], row[1]) for row in rows} == expected


def test_one_kind_as_json_has_its_fields_and_its_result() -> None:
    (kind,) = json.loads(triptych("kinds", "gan.train", "--json").stdout)
    fields = {field["name"]: field for field in kind["fields"]}
    assert fields["latent_dim"]["default"] == 100
    assert fields["batch_size"]["limits"] == "2 to 8192"
    assert "d_loss" in {item["name"] for item in kind["result"]}


def test_help_after_a_kind_shows_its_fields() -> None:
    result = triptych("submit", "gan.train", "--help")
    assert result.exit_code == 0
    assert "--batch-size" in result.stdout
    assert "--watch" in result.stdout


def test_every_field_of_every_kind_says_what_it_means() -> None:
    silent = [
        f"{kind}.{field.name}"
        for kind, spec in catalog.kinds().items()
        if spec.__module__.startswith("jobs.")
        for field in fields_of(spec)
        if not field.description
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", "gan.train", "--epochs", "0"], ["'epochs'", "greater than or equal to 1", "received 0"]),
        (["submit", "gan.train", "--epochs", "many"], ["'epochs'", "integer", '"many"']),
        (["submit", "gan.train", "--colour", "red"], ["unknown field 'colour'", "batch_size"]),
        (
            ["submit", "gan.train", "--limits.tries", "3"],
            ["unknown field 'limits.tries'; its fields are attempts, stall_seconds, wall_seconds"],
        ),
        (["submit", "gan.train", "--dataset", "No Such"], ["'dataset'", '"No Such"']),
        (["submit", "gan.trian"], ["unknown kind 'gan.trian'", "did you mean 'gan.train'"]),
        (["submit", "gan.generate"], ["'model' is required"]),
        (["submit", "--spec", "missing.json"], ["missing.json", "No such file"]),
        (["run", "gan.train", "--out", "o", "--epochs", "0"], ["'epochs'"]),
        (["kinds", "gan.trian"], ["did you mean 'gan.train'"]),
    ],
)
def test_a_bad_spec_is_refused_in_one_line_before_any_server_is_asked(
    words: list[str], said: list[str]
) -> None:
    line = error_of(*words)
    assert all(text in line for text in said), line


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "gan.train"],
        ["submit", "gan.train", "--start-at", "+60", "--reuse", "--key", "tonight"],
        ["recover"],
        ["jobs"],
        ["status"],
        ["show", "0123456789abcdef"],
        ["watch", "0123456789abcdef"],
        ["logs", "0123456789abcdef"],
        ["cancel", "0123456789abcdef"],
        ["artifacts", "0123456789abcdef"],
        ["report", "0123456789abcdef"],
        ["images", "0123456789abcdef"],
        ["datasets", "list"],
        ["datasets", "upload", "faces", "."],
    ],
)
def test_without_servers_one_line_says_how_to_get_some(words: list[str]) -> None:
    assert "triptych up" in error_of(*words)


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    monkeypatch.setenv("TRIPTYCH_S3_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TRIPTYCH_S3_ACCESS_KEY", "someone")
    monkeypatch.setenv("TRIPTYCH_S3_SECRET_KEY", "hidden")
    line = error_of("jobs")
    assert "127.0.0.1:1" in line
    assert "hidden" not in line


def test_a_server_that_goes_away_meanwhile_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise RedisConnectionError("Connection refused")

    monkeypatch.setattr("scheduler.client.Client", gone)
    assert error_of("jobs") == "Redis no longer answers (ConnectionError): Connection refused"


@pytest.mark.parametrize(
    "words",
    [
        ["submit"],
        ["submit", "gan.train", "--epochs"],
        ["submit", "gan.train", "stray"],
        ["submit", "--epochs", "3"],
        ["submit", "gan.train", "--priority", "11"],
        ["submit", "gan.train", "--start-at", "tomorrow"],
        ["submit", "gan.train", "--start-at", "+soon"],
        ["submit", "gan.train", "--start-at", "+inf"],
        ["submit", "gan.train", "--start-at", "90"],
        ["submit", "gan.train", "--key", ""],
        ["run", "gan.train"],
        ["verify-resume"],
        ["verify-resume", "gan.train", "--kills", "0"],
        ["verify-resume", "gan.train", "--data", "faces"],
        ["run", "gan.train", "--out", "o", "--data", "faces"],
        ["datasets", "upload", "faces", ".", "--size", "big"],
        ["jobs", "--limit", "0"],
        ["show"],
        ["unheard-of"],
    ],
)
def test_a_command_that_is_typed_wrongly_ends_with_two(words: list[str]) -> None:
    result = triptych(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr


def test_a_moment_is_so_many_seconds_from_now_or_local_time_or_has_an_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scheduler.cli.moment.time.time", lambda: 1000.0)
    assert seconds_since_1970("+90") == 1090.0
    assert seconds_since_1970("2026-07-01T02:30+02:00") == 1782865800.0
    assert seconds_since_1970("2026-07-01T00:30:00Z") == 1782865800.0
    assert seconds_since_1970("2026-07-01T02:30") == datetime(2026, 7, 1, 2, 30).timestamp()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    line = error_of("demo", "--out", "taken/demo")
    assert "taken/demo" in line
    assert "Not a directory" in line


def test_status_as_json_says_that_nothing_is_up() -> None:
    result = triptych("status", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["stack"]["running"] is False
    assert found["jobs"] is None


def test_down_without_a_stack_says_so() -> None:
    result = triptych("down")
    assert result.exit_code == 0
    assert "was not up" in result.stdout


def test_the_command_line_imports_nothing_heavy_before_it_is_needed() -> None:
    script = (
        "import sys, scheduler.cli\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'celery', 'redis', 'minio', 'numpy', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
