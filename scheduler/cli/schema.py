"""The fields of a spec as people meet them: type, default, limits, meaning. All from the spec itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.catalog import AnySpec
from jobs.names import DataSetField, JobField
from jobs.spec import JobSpec

_WORDS = {"string": "text", "boolean": "true or false", "null": "none", "array": "list"}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class SpecField:
    """One field of a spec."""

    name: str  #: with dots where fields lie in fields: `limits.wall_seconds`
    type: str  #: for people
    json_types: frozenset[str]  #: the types of JSON that it takes
    default: Any
    required: bool
    limits: str  #: for people; empty where there are none
    description: str
    shared: bool  #: whether every kind has it
    choices: tuple[str, ...] = ()  #: all values that it takes besides none, where they are few

    @property
    def flag(self) -> str:
        """The field as it is typed."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default as it would be typed."""
        if self.required:
            return "required"
        if self.default is None:
            return "none"
        return self.default if isinstance(self.default, str) else json.dumps(self.default)


def about(spec: type[AnySpec]) -> str:
    """What a kind does, in one line."""
    return (spec.__doc__ or "").strip().partition("\n")[0]


def fields_of(spec: type[AnySpec]) -> list[SpecField]:
    """Every field of a kind: its own, then those that all kinds share."""
    schema = spec.model_json_schema()
    found = list(_walk(spec, schema, schema.get("$defs", {}), "", {}))
    return sorted(found, key=lambda field: field.shared)


def _walk(
    spec: type[AnySpec], schema: Schema, definitions: Schema, prefix: str, defaults: Schema
) -> Iterator[SpecField]:
    for name, part in schema.get("properties", {}).items():
        default = defaults.get(name, part.get("default"))
        inner = _resolved(part, definitions)
        if "properties" in inner:
            yield from _walk(spec, inner, definitions, f"{prefix}{name}.", default or {})
            continue
        path = f"{prefix}{name}"
        types = _json_types(part, definitions)
        kind, limits = _marked(spec, path, types) or (_type(part, definitions), _limits(part, definitions))
        yield SpecField(
            name=path,
            type=kind,
            json_types=types,
            default=default,
            required=name in schema.get("required", ()),
            limits=limits,
            description=part.get("description", ""),
            shared=path.partition(".")[0] in JobSpec.model_fields,
            choices=_few(part, definitions),
        )


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


def _choices(schema: Schema, definitions: Schema) -> list[Schema]:
    schema = _resolved(schema, definitions)
    parts = schema.get("anyOf") or schema.get("oneOf")
    return [item for part in parts for item in _choices(part, definitions)] if parts else [schema]


def _json_types(schema: Schema, definitions: Schema) -> frozenset[str]:
    return frozenset(choice["type"] for choice in _choices(schema, definitions) if "type" in choice)


def _few(schema: Schema, definitions: Schema) -> tuple[str, ...]:
    found: list[str] = []
    for choice in _choices(schema, definitions):
        if "enum" in choice or "const" in choice:
            found += map(str, choice.get("enum", [choice.get("const")]))
        elif choice.get("type") == "boolean":
            found += ("true", "false")
        elif choice.get("type") != "null":
            return ()
    return tuple(found)


def _type(schema: Schema, definitions: Schema) -> str:
    return " or ".join(_one_type(choice, definitions) for choice in _choices(schema, definitions))


def _one_type(schema: Schema, definitions: Schema) -> str:
    name = str(schema.get("type", "any"))
    if name == "array" and "items" in schema:
        return f"list of {_type(schema['items'], definitions)}"
    return _WORDS.get(name, name)


def _marked(spec: type[AnySpec], path: str, types: frozenset[str]) -> tuple[str, str] | None:
    """Type and limits of a field that names a data set or another job."""
    optional = " or none" if "null" in types else ""
    if path in dict(spec.marked(DataSetField)):
        return f"data set{optional}", ""
    if (marker := dict(spec.marked(JobField)).get(path)) is not None:
        return f"job{optional}", " or ".join(marker.kinds or (spec.kind,))
    return None


def _limits(schema: Schema, definitions: Schema) -> str:
    found = [_one_limit(choice, definitions) for choice in _choices(schema, definitions)]
    return " or ".join(text for text in found if text)


def _one_limit(schema: Schema, definitions: Schema) -> str:
    if "enum" in schema or "const" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        return ", ".join(str(value) for value in allowed)
    if schema.get("type") == "array":
        count = _range(schema.get("minItems"), schema.get("maxItems"), " items")
        each = _limits(schema.get("items", {}), definitions)
        return ", ".join(text for text in (count, f"each {each}" if each else "") if text)
    if schema.get("type") == "string":
        length = _range(schema.get("minLength"), schema.get("maxLength"), " characters")
        return length or (f"matches {schema['pattern']}" if "pattern" in schema else "")
    if "minimum" in schema and "maximum" in schema:
        return _range(schema["minimum"], schema["maximum"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join(f"{sign} {schema[name]}" for name, sign in signs.items() if name in schema)


def _range(low: Any, high: Any, unit: str = "") -> str:
    if low is not None and high is not None:
        return f"{low} to {high}{unit}"
    if low is not None:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high is not None else ""
