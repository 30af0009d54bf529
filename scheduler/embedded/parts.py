"""Which parts the stack has on this machine, with their ports and passwords."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from scheduler.embedded import minio_server, programs
from scheduler.embedded.home import Home
from scheduler.embedded.ports import choose
from scheduler.embedded.python_parts import FLOWER_DOOR, FlowerPart, SchedulerPart, WorkerPart
from scheduler.embedded.redis_server import DOOR as REDIS_DOOR
from scheduler.embedded.redis_server import RedisServer
from scheduler.embedded.s3_server import S3Server
from scheduler.embedded.secrets import load_or_generate
from scheduler.embedded.service import Service
from scheduler.errors import StackError
from scheduler.settings import PREFIX


@dataclass(frozen=True, repr=False)
class Plan:
    """What to start, and how a client reaches it."""

    #: The parts of a stage need nothing of each other, and all of the stages before.
    stages: Sequence[Sequence[Service]]
    #: `TRIPTYCH_*`, with the passwords.
    variables: dict[str, str]


def make_plan(home: Home) -> Plan:
    """Finds the programs, chooses the ports, reads or makes the passwords.

    Raises:
        StackError: a program is missing, or no port is free.
    """
    redis_program = programs.redis_server()
    programs.require("flower")
    s3_class, s3_program = _s3_kind(home)
    # All at once, since a port that is chosen here and not yet listened on looks free.
    ports = choose(home.ports, [FLOWER_DOOR, REDIS_DOOR, *s3_class.doors])
    passwords = load_or_generate(home.secrets)

    redis = RedisServer(redis_program, home.folder("redis"), ports[REDIS_DOOR.name], passwords.redis)
    s3 = s3_class(
        s3_program,
        home.folder(s3_class.folder_name),
        {door.name: ports[door.name] for door in s3_class.doors},
        passwords.s3_access_key,
        passwords.s3_secret_key,
    )
    servers = {f"{PREFIX}REDIS_URL": redis.url} | s3.variables
    inside = _from_the_current_folder() | servers | {f"{PREFIX}HOME": str(home.root)}
    return Plan(
        stages=(
            (redis, s3),
            (
                SchedulerPart(home.folder("scheduler"), inside),
                FlowerPart(
                    home.folder("flower"), inside, port=ports[FLOWER_DOOR.name], password=passwords.flower
                ),
            ),
            (WorkerPart(home.folder("worker"), inside),),
        ),
        variables=servers,
    )


def _from_the_current_folder() -> dict[str, str]:
    """What a `.env` says where the stack is started; its parts run in other folders and would not see it."""
    found = dotenv_values(".env")
    return {
        name: value
        for name, value in found.items()
        if value and name.startswith(PREFIX) and name not in os.environ
    }


def _s3_kind(home: Home) -> tuple[type[S3Server], Path]:
    """The S3 server whose objects the home has; in a new home a minio on the PATH, else SeaweedFS."""
    minio, weed = programs.minio(), programs.weed()
    if _has_objects(home, minio_server.MinIO) and minio is None:
        raise StackError(
            f"the objects in {home.folder('minio')} need MinIO: put `minio` on the PATH, or set "
            f"TRIPTYCH_HOME to a new folder"
        )
    if minio is not None and not (home.folder("seaweedfs") / "data").exists():
        return minio_server.MinIO, minio
    if weed is None:
        raise StackError(f"no S3 server: put `minio` on the PATH, or {programs.INSTALL}")
    programs.require("cryptography")
    # Only now: it needs the package that has just been asked for.
    from scheduler.embedded.seaweedfs import SeaweedFS

    return SeaweedFS, weed


def _has_objects(home: Home, kind: type[S3Server]) -> bool:
    return (home.folder(kind.folder_name) / "data").exists()
