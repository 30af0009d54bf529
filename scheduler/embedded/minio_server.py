"""MinIO as the S3 server of one machine: every setting with its reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scheduler.embedded.home import make_private
from scheduler.embedded.ports import Door
from scheduler.embedded.s3_server import S3Server

DOORS = (Door("s3", 9010),)


@dataclass(frozen=True, repr=False)
class MinIO(S3Server):
    """A single-drive MinIO."""

    stop_seconds: ClassVar[float] = 15.0

    program: Path
    folder: Path
    ports: dict[str, int]
    access_key: str
    secret_key: str

    def prepare(self) -> None:
        """Makes the folders."""
        make_private(self.folder)
        make_private(self.folder / "data")

    def command(self) -> list[str]:
        """The server; its configuration folder is ours, not the user's `~/.minio`."""
        address = f"127.0.0.1:{self.ports['s3']}"
        return [str(self.program), "server", "--address", address, "--certs-dir", "certificates", "data"]

    def environment(self) -> dict[str, str]:
        """The keys, and what is off."""
        return super().environment() | {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            # A second door with pages of its own, which nothing here uses.
            "MINIO_BROWSER": "off",
            # Nothing leaves this machine: neither the look for a newer version nor the call home.
            "MINIO_UPDATE": "off",
            "MINIO_CALLHOME_ENABLE": "off",
        }
