"""Names for trained models: versions in order, and aliases that point to one of them.

In specs `digits` is the newest version, `digits@3` the third, and `digits@production` that of an alias. What
a name stands for is decided when a job is submitted, and stays so for that job.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from time import time
from typing import Any

from jobs.errors import InvalidSpec
from jobs.names import NAME_PATTERN, checked_name
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact, UnknownModel
from scheduler.keys import ModelKeys

#: What could be the beginning of a job's id.
_LIKE_AN_ID = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True)
class ModelVersion:
    """A job under a name."""

    name: str
    number: int  #: from 1, in the order of naming
    job: str  #: the id of the job
    kind: str  #: of the job
    named: float  #: seconds since 1970
    aliases: tuple[str, ...] = ()  #: that point to this version now

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


class Models:
    """The names of models, kept in the store; safe to change from several clients at once."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def name(self, name: str, job_id: str, kind: str, alias: str | None = None) -> ModelVersion:
        """Makes a job the newest version of a name; the same one if it is that already.

        Raises:
            InvalidSpec: the name cannot be used, or its versions are jobs of another kind.
        """
        _check(name)
        if alias is not None:
            _check_alias(name, alias)
        while True:
            versions = self._versions(name)
            if versions and versions[-1].kind != kind:
                raise InvalidSpec(
                    f"the name {name!r} stands for jobs of kind {versions[-1].kind}, and job {job_id} is a "
                    f"{kind}: choose another name"
                )
            if versions and versions[-1].job == job_id:
                new = versions[-1]
                break
            number = versions[-1].number + 1 if versions else 1
            new = ModelVersion(name, number, job_id, kind, time())
            self._store.ensure_bucket()
            # In one step: of two that name at once, the other one looks again.
            if self._store.put_new_json(ModelKeys(name).version(number), _kept(new)):
                break
        if alias is not None:
            self.alias(name, alias, new.number)
        return new

    def alias(self, name: str, alias: str, number: int | None = None) -> ModelVersion:
        """Lets an alias point to a version, by default the newest.

        Raises:
            UnknownModel: there is no such name or version.
            InvalidSpec: the alias cannot be used.
        """
        _check_alias(name, alias)
        version = self._numbered(name, number)
        while True:
            moves = self._moves(name, alias)
            move = {"version": version.number, "moved": time()}
            if self._store.put_new_json(ModelKeys(name).move(alias, len(moves) + 1), move):
                return version

    def list(self) -> Sequence[ModelVersion]:
        """The newest version of every name."""
        names = {key[1] for key in self._keys("models/") if key[2] == "versions"}
        return [self.history(name)[-1] for name in sorted(names)]

    def history(self, name: str) -> Sequence[ModelVersion]:
        """All versions of a name, the oldest first, with the aliases that point to each.

        Raises:
            UnknownModel: there is no such name.
        """
        versions, aliases = self._known(name), self._aliases(name)
        return [
            ModelVersion(
                **{
                    **asdict(each),
                    "aliases": tuple(sorted(a for a, n in aliases.items() if n == each.number)),
                }
            )
            for each in versions
        ]

    def moves(self, name: str, alias: str) -> Sequence[tuple[int, float]]:
        """Where an alias has pointed: versions with the times since which, the oldest first.

        Raises:
            UnknownModel: there is no such alias.
        """
        if not (moves := self._moves(name, alias)):
            raise UnknownModel(self._no_alias(name, alias))
        return moves

    def unname(self, text: str) -> Sequence[str]:
        """Removes a name with all its versions and aliases, or an alias (`digits@production`).

        Returns:
            The jobs that had the name; none for an alias.

        Raises:
            UnknownModel: there is none.
            InvalidSpec: a single version is asked for.
        """
        name, _, alias = text.partition("@")
        if alias.isdecimal():
            raise InvalidSpec(
                f"{text!r} is a version; versions stay as they are: remove the name, or an alias"
            )
        jobs = [] if alias else [version.job for version in self._known(name)]
        if alias:
            self.moves(name, alias)
        folder = ModelKeys(name).alias(alias) if alias else ModelKeys(name).folder
        # The newest version last: until it is gone, the name is found and can be removed once more.
        for item in list(self._store.under(folder)):
            self._store.delete(item.key)
        return jobs

    def find(self, text: str) -> ModelVersion:
        """The version that `name`, `name@number` or `name@alias` stands for now.

        Raises:
            UnknownModel: there is none; the text says what there is.
        """
        name, at, which = text.partition("@")
        if not at or which.isdecimal():
            return self._numbered(name, int(which) if at else None)
        if (number := self._aliases(name).get(which)) is None:
            raise UnknownModel(self._no_alias(name, which))
        return self._numbered(name, number)

    def has(self, name: str) -> bool:
        """Whether there is such a name; none that could not be one."""
        return re.fullmatch(NAME_PATTERN, name) is not None and bool(self._keys(ModelKeys(name).versions))

    def jobs(self) -> Mapping[str, str]:
        """Every job that has a name, with the version that it is: what no clean-up may delete."""
        found = {}
        for key in self._keys("models/"):
            if key[2] == "versions":
                data = self._store.get_json("/".join(key))
                found[str(data["job"])] = f"{data['name']}@{data['number']}"
        return found

    def _numbered(self, name: str, number: int | None) -> ModelVersion:
        versions = self._known(name)
        if number is None:
            return versions[-1]
        for version in versions:
            if version.number == number:
                return version
        raise UnknownModel(f"the name {name!r} has no version {number}: it has 1 to {versions[-1].number}")

    def _known(self, name: str) -> Sequence[ModelVersion]:
        if not (versions := self._versions(name)):
            known = ", ".join(sorted({key[1] for key in self._keys("models/")})) or "none"
            raise UnknownModel(
                f"no model has the name {name!r}: known are {known}; `triptych models name {name} JOB` gives "
                "it to a job"
            )
        return versions

    def _no_alias(self, name: str, alias: str) -> str:
        self._known(name)
        known = ", ".join(sorted(self._aliases(name))) or "none"
        return f"the name {name!r} has no alias {alias!r}: it has {known}"

    def _versions(self, name: str) -> Sequence[ModelVersion]:
        found = [
            self._store.get_json("/".join(key))
            for key in self._keys(ModelKeys(checked_name(name, "model name")).versions)
        ]
        return sorted((ModelVersion(**data) for data in found), key=lambda version: version.number)

    def _aliases(self, name: str) -> Mapping[str, int]:
        names = {key[3] for key in self._keys(ModelKeys(name).aliases)}
        return {alias: self._moves(name, alias)[-1][0] for alias in names}

    def _moves(self, name: str, alias: str) -> Sequence[tuple[int, float]]:
        keys = sorted(self._keys(ModelKeys(name).alias(alias)))
        found = [self._store.get_json("/".join(key)) for key in keys]
        return [(int(data["version"]), float(data["moved"])) for data in found]

    def _keys(self, folder: str) -> Sequence[tuple[str, ...]]:
        try:
            return [tuple(item.key.split("/")) for item in self._store.under(folder)]
        except UnknownArtifact:
            return []


def _check(name: str) -> None:
    checked_name(name, "model name")
    if not maybe_named(name):
        raise InvalidSpec(
            f"model name {name!r} could be the beginning of a job's id: use a letter beyond 'f', or a dash"
        )


def _check_alias(name: str, alias: str) -> None:
    checked_name(alias, "alias")
    if alias.isdecimal():
        raise InvalidSpec(f"alias {alias!r} is a number, and {name}@{alias} is a version: choose a word")


def _kept(version: ModelVersion) -> dict[str, Any]:
    return {key: value for key, value in asdict(version).items() if key != "aliases"}


def maybe_named(text: str) -> bool:
    """Whether a text cannot be the beginning of a job's id, and may be a model's name."""
    return not _LIKE_AN_ID.fullmatch(text.partition(".")[0])
