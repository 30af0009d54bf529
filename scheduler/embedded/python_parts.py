"""The parts that are Triptych's own programs, and Flower."""

import base64
import os
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from kombu.exceptions import OperationalError
from pydantic import SecretStr
from redis.exceptions import RedisError

from scheduler.embedded.home import make_private, write_private
from scheduler.embedded.ports import Door
from scheduler.embedded.service import Service
from scheduler.queue import make_app
from scheduler.settings import PREFIX, LeaseSettings, RedisSettings, load

#: Flower's own port: people know it by heart.
FLOWER_DOOR = Door("flower", 5555)
FLOWER_USER = "triptych"


@dataclass(frozen=True, repr=False)
class PythonPart(Service):
    """A module run by the same Python, told by its environment where the servers are."""

    module: ClassVar[str]

    folder: Path
    #: `TRIPTYCH_*`: the only way in which secrets reach the part.
    variables: dict[str, str]
    arguments: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """It listens nowhere."""
        return ""

    def command(self) -> list[str]:
        """The module; `-P`, so that nothing in the folder in which it runs is taken for a package."""
        return [sys.executable, "-P", "-m", self.module, *self.arguments]

    def environment(self) -> dict[str, str]:
        """All of the surroundings, since they steer TensorFlow and CUDA, and where the servers are."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
        return own | self.variables | {"PYTHONUNBUFFERED": "1"}

    def ready(self) -> bool:
        """It has no door to knock at: while it runs, it works."""
        return True


class SchedulerPart(PythonPart):
    """Releases what is due, and finds jobs whose worker is gone."""

    name = "scheduler"
    module = "scheduler"


class WorkerPart(PythonPart):
    """Runs jobs."""

    name = "worker"
    module = "worker"

    @property
    def stop_seconds(self) -> float:
        """Its jobs first reach a step boundary, and then save a checkpoint, which takes its time, too."""
        return load(LeaseSettings).stop_seconds + 20.0

    def ready(self) -> bool:
        """Whether it answers as one that takes jobs; a key in Redis would outlive a killed worker."""
        with make_app(RedisSettings(redis_url=SecretStr(self.variables[f"{PREFIX}REDIS_URL"]))) as app:
            try:
                with app.connection() as connection:
                    return bool(app.control.ping(timeout=1.0, limit=1, connection=connection))
            except (OSError, RedisError, OperationalError):
                return False


@dataclass(frozen=True, repr=False)
class FlowerPart(PythonPart):
    """Shows workers and jobs in a browser."""

    name: ClassVar[str] = "flower"
    module: ClassVar[str] = "scheduler.embedded.flower_program"

    port: int = 0
    password: str = ""

    @property
    def address(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Writes the file with its options."""
        make_private(self.folder)
        write_private(self._configuration, self._settings())

    def command(self) -> list[str]:
        """Flower with its file: the password is in the file alone, and the broker's in the environment."""
        return [*super().command(), f"--conf={self._configuration}"]

    def ready(self) -> bool:
        """Whether it answers to the password."""
        credentials = base64.b64encode(f"{FLOWER_USER}:{self.password}".encode()).decode()
        question = urllib.request.Request(  # noqa: S310 - the address is ours
            f"{self.address}/healthcheck", headers={"Authorization": f"Basic {credentials}"}
        )
        # No proxy, whatever the environment says: the page is on this machine.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(question, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def _configuration(self) -> Path:
        return self.folder / "flowerconfig.py"

    def _settings(self) -> str:
        return "\n".join(
            [
                f"port = {self.port}",
                'address = "127.0.0.1"',
                f'basic_auth = ["{FLOWER_USER}:{self.password}"]',
                # What was on the pages is still there after a restart, and a kill loses ten seconds of it.
                "persistent = True",
                f"db = {str(self.folder / 'history')!r}",
                "state_save_interval = 10_000",
                # A month of busy use in about 50 MB; Flower holds all of them in memory.
                "max_tasks = 20_000",
                # The progress of a running job is in the column `result`, its spec in `kwargs`.
                'tasks_columns = "name,uuid,state,kwargs,result,received,started,runtime,worker"',
                # Jobs are cancelled through Triptych: Celery's own revoke would leave their records standing.
                "read_only = True",
                "",
            ]
        )
