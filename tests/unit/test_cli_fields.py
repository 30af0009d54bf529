"""What is typed after a kind becomes data of the types that the spec takes."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field

from jobs.errors import InvalidSpec
from jobs.names import DataSetName, JobField, JobName
from jobs.spec import Frozen, JobResult, JobSpec
from scheduler.cli.fields import parse_fields, read_spec, spec_from, split_kind
from scheduler.cli.schema import fields_of


class Noise(Frozen):
    scale: float = Field(default=1.0, gt=0)
    shape: Literal["round", "square"] = "round"


class Paint(JobSpec[JobResult], kind="art.paint"):
    """Paints."""

    title: str = Field(default="untitled", min_length=1, max_length=20)
    strokes: int | None = Field(default=None, ge=1, le=100, description="how many")
    widths: tuple[int, ...] = Field(default=(1, 2), min_length=1, max_length=8)
    mark: str | int | None = None
    signed: bool = False
    noise: Noise = Field(default=Noise(scale=2.0))
    model: Annotated[JobName, JobField("art.sketch")] = Field(description="a sketch")
    dataset: DataSetName = "mnist-5k"
    frame: Annotated[JobName, JobField("art.frame")] | None = None


def typed(*words: str) -> dict[str, Any]:
    return parse_fields(Paint, words)


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["--strokes", "20"], {"strokes": 20}),
        (["--strokes=20"], {"strokes": 20}),
        (["--strokes", "null"], {"strokes": None}),
        (["--widths", "[256,512]"], {"widths": [256, 512]}),
        (["--title", "12"], {"title": "12"}),
        (["--title", "[1]"], {"title": "[1]"}),
        (["--title", "a=b c"], {"title": "a=b c"}),
        (["--title="], {"title": ""}),
        (["--title=--x"], {"title": "--x"}),
        (["--model", "1234567812345678"], {"model": "1234567812345678"}),
        (["--model", "1e23456789012345"], {"model": "1e23456789012345"}),
        (["--model", "true"], {"model": "true"}),
        (["--mark", "7"], {"mark": 7}),
        (["--mark", "seven"], {"mark": "seven"}),
        (["--mark", "7.5"], {"mark": "7.5"}),
        (["--mark", "null"], {"mark": None}),
        (["--signed"], {"signed": True}),
        (["--signed", "--strokes", "3"], {"signed": True, "strokes": 3}),
        (["--signed", "false"], {"signed": False}),
        (["--noise.scale", "3"], {"noise": {"scale": 3}}),
        (["--noise", '{"scale": 3}', "--noise.shape", "square"], {"noise": {"scale": 3, "shape": "square"}}),
        (["--limits.wall-seconds", "60"], {"limits": {"wall_seconds": 60}}),
        (["--strokes", "2", "--strokes", "3"], {"strokes": 3}),
        (["--strokes", "-3"], {"strokes": -3}),
        (["--unheard-of", "5"], {"unheard_of": 5}),
        ([], {}),
    ],
)
def test_words_become_data_of_the_type_that_the_field_takes(words: list[str], data: dict[str, Any]) -> None:
    found = typed(*words)
    assert found == data
    assert json.dumps(found) == json.dumps(data), "true is not 1, and 3 is not 3.0"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--strokes"], "--strokes needs a value"),
        (["--strokes", "--signed"], "--strokes needs a value"),
        (["20"], "'20' belongs to no field"),
        (["--strokes", "20", "30"], "'30' belongs to no field"),
        (["--", "20"], "'--' belongs to no field"),
        (["--title", "x", "--title.y", "z"], "--title.y is inside 'title'"),
    ],
)
def test_words_of_another_form_are_a_usage_error(words: list[str], text: str) -> None:
    with pytest.raises(typer.BadParameter, match=text):
        typed(*words)


def test_a_kind_comes_first_or_not_at_all() -> None:
    assert split_kind(["gan.train", "--epochs", "2"]) == ("gan.train", ["--epochs", "2"])
    assert split_kind(["--epochs", "2"]) == (None, ["--epochs", "2"])
    assert split_kind([]) == (None, [])


def test_fields_replace_those_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"kind": "gan.train", "epochs": 5, "limits": {"attempts": 2}}')
    spec = spec_from(["--epochs", "7", "--limits.wall-seconds", "60"], file)
    assert spec.to_wire()["epochs"] == 7
    assert (spec.limits.attempts, spec.limits.wall_seconds) == (2, 60)


def test_a_kind_beside_a_file_must_be_the_one_in_it(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"kind": "gan.train"}')
    assert spec_from(["gan.train"], file).kind == "gan.train"
    with pytest.raises(typer.BadParameter, match=r"gan\.generate on the command line and gan\.train"):
        spec_from(["gan.generate"], file)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "is not JSON"),
        ("[1]", "one JSON object"),
        (None, "No such file"),
        ("{}", "needs a field 'kind'"),
    ],
)
def test_a_file_that_holds_no_spec_is_refused(tmp_path: Path, content: str | None, text: str) -> None:
    file = tmp_path / "spec.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidSpec, match=text):
        spec_from([], file)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSpec, match="is not JSON"):
        read_spec(file)


def test_fields_are_described_as_people_meet_them() -> None:
    found = {field.name: field for field in fields_of(Paint)}
    described = {name: (field.type, field.default_text, field.limits) for name, field in found.items()}
    assert described["title"] == ("text", "untitled", "1 to 20 characters")
    assert described["strokes"] == ("integer or none", "none", "1 to 100")
    assert described["widths"] == ("list of integer", "[1, 2]", "1 to 8 items")
    assert described["signed"] == ("true or false", "false", "")
    assert described["model"] == ("job", "required", "art.sketch")
    assert described["dataset"] == ("data set", "mnist-5k", "")
    assert described["frame"] == ("job or none", "none", "art.frame")
    assert described["noise.scale"] == ("number", "2.0", "> 0")
    assert described["noise.shape"] == ("text", "round", "round, square")
    assert described["limits.attempts"] == ("integer", "5", "1 to 100")
    assert found["strokes"].description == "how many"


def test_what_every_kind_shares_comes_last() -> None:
    shared = [field.shared for field in fields_of(Paint)]
    assert shared == sorted(shared)
    names = {field.name for field in fields_of(Paint) if field.shared}
    assert names == {"pool", "seed", "limits.wall_seconds", "limits.stall_seconds", "limits.attempts"}


def test_a_job_named_by_a_field_that_may_be_none_is_a_parent_as_any_other() -> None:
    assert list(Paint(model="one").parents()) == [("model", "one", ("art.sketch",))]
    both = Paint(model="one", frame="two")
    assert list(both.parents()) == [("model", "one", ("art.sketch",)), ("frame", "two", ("art.frame",))]
    assert list(both.named_sets()) == [("dataset", "mnist-5k", "images")]
