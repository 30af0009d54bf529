"""Turns what was typed (`gan.train --epochs 20 --limits.wall-seconds 60`) into a spec."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from jobs import catalog
from jobs.catalog import AnySpec
from jobs.errors import InvalidSpec
from scheduler.cli.schema import SpecField, fields_of


def spec_from(words: Sequence[str], file: Path | None = None) -> AnySpec:
    """The spec in `KIND --field value ...`, in a file, or in a file with fields replaced.

    Raises:
        BadParameter: the words are not of that form.
        InvalidSpec: the spec is refused.
    """
    kind, arguments = split_kind(words)
    data = read_spec(file) if file else {}
    if kind is None and not file:
        raise typer.BadParameter("say what to run: a KIND (`triptych kinds` lists them) or --spec FILE")
    if kind is not None and data.setdefault("kind", kind) != kind:
        raise typer.BadParameter(f"the kind is {kind} on the command line and {data['kind']} in {file}")
    if arguments:
        spec = catalog.spec_type(str(data.get("kind")))
        _merge(data, parse_fields(spec, arguments))
    try:
        return catalog.parse(data)
    except InvalidSpec as error:
        raise error if file is None else InvalidSpec(f"the spec file {file}: {error}") from None


def spec_of(words: Sequence[str]) -> AnySpec:
    """The spec in `KIND --field value ...` or `FILE.json --field value ...`; `-` is standard input.

    Raises:
        BadParameter: the words are not of that form.
        InvalidSpec: the spec is refused.
    """
    if words and (words[0].endswith(".json") or words[0] == "-"):
        return spec_from(words[1:], Path(words[0]))
    return spec_from(words)


def split_kind(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """(kind, the rest), or (None, all) where no kind comes first."""
    if words and not words[0].startswith("--"):
        return words[0], words[1:]
    return None, words


def read_spec(file: Path) -> dict[str, Any]:
    """The JSON object in a file; `-` is standard input.

    Raises:
        InvalidSpec: it cannot be read, or holds something else.
    """
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        # Bytes: it finds out by itself whether they are UTF-8 or UTF-16, and passes over a byte-order mark.
        data = json.loads(content)
    except OSError as error:
        raise InvalidSpec(f"the spec file {file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(f"the spec file {file} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidSpec(
            f'the spec file {file} must hold one JSON object, such as {{"kind": "gan.train", "epochs": 20}}'
        )
    return data


def parse_fields(spec: type[AnySpec], arguments: Sequence[str]) -> dict[str, Any]:
    """The data in `--field value --field=value --nested.field value`; dashes stand for underscores.

    Whether the fields exist and may have these values is left to the spec.

    Raises:
        BadParameter: something is not of that form.
    """
    known = {field.name: field for field in fields_of(spec)}
    data: dict[str, Any] = {}
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--") or word == "--":
            raise typer.BadParameter(f"{word!r} belongs to no field: write --field value")
        name, given, text = word[2:].partition("=")
        field = known.get(name.replace("-", "_"))
        if not given and waiting and not waiting[0].startswith("--"):
            text = waiting.pop(0)
        elif not given and field and "boolean" in field.json_types:
            text = "true"
        elif not given:
            raise typer.BadParameter(f"--{name} needs a value")
        _place(data, name.replace("-", "_").split("."), value_of(field, text), name)
    return data


def value_of(field: SpecField | None, text: str) -> Any:
    """What `text` means for a field: JSON, unless it takes text and the JSON is of no other type of it.

    So an id of digits stays text, and `20` becomes a number where a number is wanted.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return text
    types = field.json_types if field else frozenset[str]()
    if "string" not in types:
        return value
    return value if _json_type(value) & (types - {"string"}) else text


def _json_type(value: Any) -> frozenset[str]:
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int):
        return frozenset({"integer", "number"})
    names = {float: "number", str: "string", list: "array", dict: "object", type(None): "null"}
    return frozenset({names[type(value)]})


def _place(data: dict[str, Any], path: Sequence[str], value: Any, name: str) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise typer.BadParameter(f"--{name} is inside {part!r}, which was given as a value")
    data[path[-1]] = value


def _merge(data: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(data.get(name), dict):
            _merge(data[name], value)
        else:
            data[name] = value
