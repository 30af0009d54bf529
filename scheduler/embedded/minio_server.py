"""MinIO as the S3 server of one machine: every setting with its reason."""

from scheduler.embedded.home import make_private
from scheduler.embedded.ports import Door
from scheduler.embedded.s3_server import S3Server


class MinIO(S3Server):
    """A single-drive MinIO."""

    folder_name = "minio"
    doors = (Door("s3", 9010),)

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
