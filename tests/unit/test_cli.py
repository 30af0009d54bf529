"""The command line without any server: help, kinds, and how errors end."""

import json
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from rich.console import Console
from typer.testing import CliRunner, Result

from jobs import catalog
from scheduler.cli.commands import app
from scheduler.cli.moment import moment
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


def error_of(*words: str, code: int = 1) -> str:
    """The one line on stderr of a command that fails, and fails properly."""
    result = triptych(*words)
    assert result.exit_code == code, result.output
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


def test_kinds_of_a_technique_or_an_application_are_listed_by_its_name() -> None:
    def listed(name: str) -> set[str]:
        return {line.partition("\t")[0] for line in triptych("kinds", name).stdout.splitlines()}

    assert listed("gan") == {kind for kind in catalog.kinds() if kind.startswith("gan.")}
    assert listed("trial.annex") == {"trial.annex.count"}
    assert listed("trial") > {"trial.annex.count", "trial.steps"}


def test_kinds_in_a_terminal_are_grouped_by_technique_and_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No variable makes a terminal of a pipe, so that a pipe is taken for one here.
    monkeypatch.setattr(
        "scheduler.cli.output.console_on",
        lambda stream: Console(file=stream, force_terminal=True, highlight=False),
    )
    shown = CliRunner().invoke(app, ["kinds"], env={"NO_COLOR": "1"}).stdout
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown.splitlines()]
    heads = [line.split()[0] for line in lines if line.endswith("───")]
    assert heads == sorted({catalog.technique_of(kind) for kind in catalog.kinds()})
    first = [line.split("  ")[0] for line in lines]
    for technique in heads:
        end = (*heads, None)[heads.index(technique) + 1]
        of_it = first[_heading(lines, technique) : _heading(lines, end) if end else None]
        found = [word for word in of_it if word in catalog.kinds() or word in catalog.applications()]
        rooms = [name for name in catalog.applications() if name.startswith(f"{technique}.")]
        kinds = [kind for kind in catalog.kinds() if catalog.technique_of(kind) == technique]
        expected = [kind for kind in kinds if catalog.application_of(kind) == technique]
        for room in sorted(rooms):
            expected += [room, *(kind for kind in kinds if catalog.application_of(kind) == room)]
        assert found == expected


def _heading(lines: list[str], technique: str) -> int:
    return next(
        number for number, line in enumerate(lines) if line.startswith(f"{technique} ─") and "───" in line
    )


def test_kinds_as_json_say_their_technique_and_application() -> None:
    (kind,) = json.loads(triptych("kinds", "trial.annex.count", "--json").stdout)
    assert (kind["technique"], kind["application"]) == ("trial", "trial.annex")


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
    line = error_of("jobs", code=3)
    assert "127.0.0.1:1" in line
    assert "hidden" not in line


def test_a_server_that_goes_away_meanwhile_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise RedisConnectionError("Connection refused")

    monkeypatch.setattr("scheduler.client.Client", gone)
    assert error_of("jobs", code=3) == "Redis no longer answers (ConnectionError): Connection refused"


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
        ["submit", "gan.train", "--timezone", "Europe/Berlin"],
        ["submit", "gan.train", "--key", ""],
        ["run", "gan.train"],
        ["run", "gan.train", "--out", ""],
        ["submit", "gan.train", "--spec", ""],
        ["artifacts", "0123456789abcdef", "--download", ""],
        ["datasets", "upload", "faces", ""],
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


def test_a_moment_is_so_many_seconds_from_now_or_local_time_or_has_an_offset() -> None:
    assert moment("+90").at(1000.0) == 1090.0
    assert moment("2026-07-01T02:30+02:00").at(1000.0) == 1782865800.0
    assert moment("2026-07-01T00:30:00Z").at(1000.0) == 1782865800.0
    assert moment("2026-07-01T02:30").at(1000.0) == datetime(2026, 7, 1, 2, 30).timestamp()


@pytest.mark.parametrize("text", ["+1e18", "+320000000", "9999-12-31T23:59", "2099-01-01T00:00Z"])
def test_a_moment_later_than_ten_years_from_now_is_refused(text: str) -> None:
    said = error_of("submit", "gan.train", "--start-at", text)
    assert "the latest start is 10 years from now" in said


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T03:00+02:00"),  # skipped: when the gap ends
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T02:30+02:00"),  # comes twice: the first
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-04T02:30+11:00"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-05T01:45+11:00"),
        ("2026-03-08T02:59", "America/New_York", "2026-03-08T03:00-04:00"),
        ("2026-03-08", "America/New_York", "2026-03-08T00:00-05:00"),
        ("2026-03-29T02:30+01:00", "America/New_York", "2026-03-29T02:30+01:00"),  # an offset says it all
    ],
)
def test_a_moment_that_the_clocks_skip_or_show_twice_is_meant_as_a_schedule_would(
    text: str, zone: str, meant: str
) -> None:
    assert moment(text, zone).at(0.0) == datetime.fromisoformat(meant).timestamp()


def test_this_machine_s_clocks_have_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert (
            moment("2026-03-29T02:30").at(0.0) == datetime.fromisoformat("2026-03-29T03:00+02:00").timestamp()
        )
        assert (
            moment("2026-10-25T02:30").at(0.0) == datetime.fromisoformat("2026-10-25T02:30+02:00").timestamp()
        )
    finally:
        monkeypatch.undo()
        time.tzset()


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


def test_a_path_that_is_empty_is_not_taken_for_the_current_folder(tmp_path: Path) -> None:
    result = triptych("run", "trial.echo", "--text", "x", "--out", "")
    assert "'--out': it is empty" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_divided_is_refused_before_a_server_is_asked() -> None:
    assert "cannot be divided into parts; the kinds that can are" in error_of(
        "submit", "trial.echo", "--parts", "2"
    )
    for number in ("0", "many", "-3", "99999"):
        assert "allowed are a number from 1 to 5000, and 'auto'" in error_of(
            "submit", "trial.rows", f"--parts={number}"
        )
