"""Names that become keys, paths and addresses, and the one pattern they must match."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from jobs.errors import InvalidSpec

#: Lower-case letters, digits, dot, dash, underscore; starts with a letter or digit: safe in keys and paths.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"

#: A job's id, or a model's name: `digits`, or with a version or an alias `digits@3`, `digits@production`.
JOB_PATTERN = rf"{NAME_PATTERN[:-1]}(?:@[a-z0-9][a-z0-9._-]{{0,62}})?$"

#: One part of the name of a file that a job leaves: as above, and capitals; it cannot begin with a dot.
FILE_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"

#: A model on a hub: `owner/name`.
HUB_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"


class DataSetField:
    """Marks a spec field that names a data set, so that the client can check and pin it.

    Args:
        content: what the set must hold: `images`, `texts`, `table` (a table with time), `corpus`,
            `questions` (on documents), or `pairs` (of images).
    """

    def __init__(self, content: str = "images") -> None:
        self.content = content


class PretrainedField:
    """Marks a spec field that names a pretrained checkpoint, so that the client can check and pin it."""


class JobField:
    """Marks a spec field that names another job, so that the client can check it and wait for it.

    Args:
        kinds: the kinds of job that the field takes, such as `("gan.train",)`; none = that of the spec
            itself.
    """

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds


_SIGNS = "up to 63 lower-case letters, digits, '.', '-' or '_'"


def _job(value: object) -> object:
    """Takes a job handle for its id."""
    value = getattr(value, "id", value)
    if isinstance(value, str) and not re.fullmatch(JOB_PATTERN, value):
        raise ValueError(
            f"should be a job's id or a model's name ({_SIGNS}; with a version name@3); for `triptych run` "
            "the name of a job's folder, without the path, in the folder where --out is"
        )
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(NAME_PATTERN, value):
        raise ValueError(f"should be a name: {_SIGNS}, starting with a letter or a digit")
    return value


def is_folder(name: str) -> bool:
    """Whether the name of a checkpoint, or of images, is a path."""
    return name.startswith(("/", "./", "../", "~")) or name in (".", "..")


def _pretrained(value: str) -> str:
    if is_folder(value) or re.fullmatch(NAME_PATTERN, value) or re.fullmatch(HUB_PATTERN, value):
        return value
    raise ValueError(
        f"should be an upload's name ({_SIGNS}), a hub's name (owner/name), or a folder that begins with / "
        "or ./"
    )


def _images(value: str) -> str:
    if is_folder(value) or re.fullmatch(NAME_PATTERN, value):
        return value
    raise ValueError(f"should be a data set's name ({_SIGNS}), or a folder that begins with / or ./")


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN), BeforeValidator(_name)]
DataSetName = Annotated[Name, DataSetField()]
#: A data set's name, or a folder of images, which begins with `/`, `./`, `../` or `~`.
ImagesName = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_images), DataSetField()
]
TextSetName = Annotated[Name, DataSetField("texts")]
TableName = Annotated[Name, DataSetField("table")]
QuestionSetName = Annotated[Name, DataSetField("questions")]
CorpusName = Annotated[Name, DataSetField("corpus")]
PairsName = Annotated[Name, DataSetField("pairs")]
#: An upload's name, a hub's `owner/name`, or a folder, which begins with `/`, `./`, `../` or `~`.
PretrainedName = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_pretrained), PretrainedField()
]
#: Use as `Annotated[JobName, JobField("gan.train")]`; accepts a job handle, its id, or a model's name.
JobName = Annotated[str, StringConstraints(pattern=JOB_PATTERN), BeforeValidator(_job)]


def checked_name(value: str, what: str) -> str:
    """Returns `value` if it may become part of a key or a path.

    Raises:
        InvalidSpec: it does not match `NAME_PATTERN`.
    """
    if not re.fullmatch(NAME_PATTERN, value):
        raise InvalidSpec(f"{what} {value!r} is not a name: use {_SIGNS}, starting with a letter or a digit")
    return value


def checked_path(value: str, what: str) -> str:
    """Returns `value` if it is one or several file names joined by `/`, none of which leaves its folder.

    Raises:
        InvalidSpec: a part does not match `FILE_PATTERN`.
    """
    for part in value.split("/"):
        if not re.fullmatch(FILE_PATTERN, part):
            raise InvalidSpec(
                f"{what} {value!r} is not allowed: every part between '/' is up to 128 letters, digits, '.', "
                "'-' or '_', starting with a letter, a digit or '_'"
            )
    return value
