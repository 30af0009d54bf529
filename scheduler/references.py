"""Who refers to what: the one place that says why something must not be deleted.

A target is a job or a data set. A job refers to its parents, to its data sets, and to what its parents refer
to, until it has ended: the script that records it enters that (`lua/create.lua`), and the one that deletes
looks at it (`lua/remove.lua`), each in one step. Whatever else names jobs or data sets (a schedule, a sweep,
a model's name) says so with `hold`, under a name of its own with a `/` in it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from redis import Redis

from jobs.errors import InvalidSpec
from scheduler.connection import PREFIX
from scheduler.record import JobRecord
from scheduler.scripts import Scripts

_ENTERED = f"{PREFIX}references"
#: Records that are looked at in one step.
_STEP = 200


def job_target(job_id: str) -> str:
    """A job, as something that is referred to."""
    return f"job/{job_id}"


def set_target(name: str) -> str:
    """A data set, as something that is referred to."""
    return f"dataset/{name}"


def targets(inputs: Iterable[str], parents: Iterable[JobRecord]) -> list[str]:
    """What a job refers to: data sets by name, jobs, and what these refer to."""
    found = [set_target(name) for name in inputs]
    for parent in parents:
        found += [job_target(parent.id), *(set_target(name) for name in parent.inputs), *parent.refers]
    return list(dict.fromkeys(found))


def model_holder(name: str, job_id: str) -> str:
    """A model's name, as something that refers to a job."""
    return f"model/{name}/{job_id}"


class References:
    """Who refers to what, in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._run = Scripts(redis).run

    def hold(self, name: str, held: Iterable[str]) -> None:
        """Something other than a job refers to these targets from now on, and to none that it held before.

        Args:
            name: its own, such as `schedule/nightly`; that of a model's name begins with `model/`.
            held: of `job_target` and `set_target`.

        Raises:
            InvalidSpec: one of them is being deleted.
        """
        if gone := self._run("hold", name, *held):
            raise InvalidSpec(f"{name} cannot refer to {gone}, which is being deleted")

    def release(self, name: str) -> None:
        """It refers to nothing any more."""
        self._run("hold", name)

    def holder(self, target: str) -> str | None:
        """One that refers to a target: `job/<id>` of a job that has not ended, or a name given to `hold`."""
        return cast("str | None", self._run("holder", target))

    def hold_models(self, jobs: Mapping[str, str]) -> None:
        """Lets models' names refer to these jobs, and to no others.

        Args:
            jobs: of all names, as `Models.jobs` knows them: id -> version.
        """
        wanted = {model_holder(version.partition("@")[0], job_id): job_id for job_id, version in jobs.items()}
        prefix = f"{PREFIX}holds:"
        found: Any = self._redis.scan_iter(match=f"{prefix}model/*", count=1000)
        for name in {key.removeprefix(prefix) for key in found} - wanted.keys():
            self.release(name)
        for name, job_id in wanted.items():
            with suppress(InvalidSpec):  # it is being deleted, as somebody has insisted on
                self.hold(name, [job_target(job_id)])

    def complete(self) -> None:
        """Enters what jobs refer to that a version before has recorded; does nothing once that is done."""
        if self._redis.exists(_ENTERED):
            return
        first = 0
        while ids := cast("list[str]", self._redis.zrange(f"{PREFIX}all", first, first + _STEP - 1)):
            self._run("enter_references", *ids)
            first += len(ids)
        self._redis.set(_ENTERED, 1)
