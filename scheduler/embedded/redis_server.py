"""Redis for one machine: every setting with its reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import redis

from scheduler.embedded.home import make_private, write_private
from scheduler.embedded.ports import Door
from scheduler.embedded.service import Service

#: Beside Redis's own 6379, which a Redis of the machine may have.
DOOR = Door("redis", 6390)


@dataclass(frozen=True, repr=False)
class RedisServer(Service):
    """Job records, the queue and events."""

    name: ClassVar[str] = "redis"

    program: Path
    folder: Path
    port: int
    password: str

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address with the password: for the environment of a process, never for a person's eyes."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Writes redis.conf."""
        make_private(self.folder)
        write_private(self._configuration, self._settings())

    def command(self) -> list[str]:
        """The server and its file: the password is in the file alone."""
        return [str(self.program), str(self._configuration)]

    def ready(self) -> bool:
        """Whether it answers to the password, and has read its data."""
        with redis.Redis(
            host="127.0.0.1", port=self.port, password=self.password, socket_timeout=1
        ) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    @property
    def _configuration(self) -> Path:
        return self.folder / "redis.conf"

    def _settings(self) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self.password}",
                # Refuses the outside world even if `bind` were ever lost.
                "protected-mode yes",
                f'dir "{folder}"',
                # Every change is in the file before it is answered, so a killed server loses nothing.
                "appendonly yes",
                # A power cut may cost one second, which the store's own records make good (`triptych
                # recover`); `always` would make every heartbeat wait for the disk.
                "appendfsync everysec",
                # The append-only file is the one copy; snapshots beside it would write everything twice.
                'save ""',
                # A queue that forgets under pressure loses jobs: better that a submission is refused.
                "maxmemory-policy noeviction",
                # The supervisor holds the process, and its output is the log.
                "daemonize no",
                'logfile ""',
                "",
            ]
        )
