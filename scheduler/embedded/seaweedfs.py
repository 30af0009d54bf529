"""SeaweedFS as the S3 server of one machine: every option with its reason.

Out of the box `weed mini` listens on every address and answers anybody, on ten doors. Here each door but S3's
own asks for a certificate that only this process has, and S3 asks for the keys.
"""

import json
import os
import secrets
from pathlib import Path

from scheduler.embedded.certificates import write_certificates
from scheduler.embedded.home import make_private, write_private
from scheduler.embedded.ports import Door
from scheduler.embedded.s3_server import S3Server

#: SeaweedFS's own workers look for the admin server's second door at this distance, whatever it was told.
ADMIN_DISTANCE = 10_000


class SeaweedFS(S3Server):
    """`weed mini`: master, volume server, filer and S3 gateway in one process."""

    folder_name = "seaweedfs"
    #: Below the range from which systems take ports for outgoing connections: free the next time, too.
    doors = (
        Door("s3", 9010),
        Door("seaweedfs-s3-grpc", 21_000),
        Door("seaweedfs-master", 21_001),
        Door("seaweedfs-master-grpc", 21_002),
        Door("seaweedfs-volume", 21_003),
        Door("seaweedfs-volume-grpc", 21_004),
        Door("seaweedfs-filer", 21_005),
        Door("seaweedfs-filer-grpc", 21_006),
        Door("seaweedfs-admin", 21_007, also=(ADMIN_DISTANCE,)),
        # WebDAV is off, yet its port must be free for the server to start.
        Door("seaweedfs-webdav", 21_008),
    )

    @property
    def stop_seconds(self) -> float:
        """It ends in 2 seconds, or in 13 when its own workers keep it waiting until it gives up on them."""
        return 20.0

    def prepare(self) -> None:
        """Writes the keys of S3, and what closes the other doors."""
        make_private(self.folder)
        make_private(self.folder / "data")
        write_private(self.folder / "s3.json", self._identities())
        authority, certificate, key = (
            self.folder / name for name in ("authority.pem", "certificate.pem", "key.pem")
        )
        write_certificates(authority, certificate, key)
        write_private(self.folder / "security.toml", self._security())
        # The server keeps its last options here and prefers them to an option given at its default.
        (self.folder / "data" / "mini.options").unlink(missing_ok=True)
        self.clean_up()

    def command(self) -> list[str]:
        """The server with its options; paths are relative, so that none is too long for a socket."""
        port = {name.removeprefix("seaweedfs-"): number for name, number in self.ports.items()}
        return [
            str(self.program),
            "mini",
            "-dir=data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.port={port['s3']}",
            f"-s3.port.grpc={port['s3-grpc']}",
            f"-master.port={port['master']}",
            f"-master.port.grpc={port['master-grpc']}",
            f"-volume.port={port['volume']}",
            f"-volume.port.grpc={port['volume-grpc']}",
            f"-filer.port={port['filer']}",
            f"-filer.port.grpc={port['filer-grpc']}",
            f"-admin.port={port['admin']}",
            f"-admin.port.grpc={port['admin'] + ADMIN_DISTANCE}",
            f"-webdav.port={port['webdav']}",
            # Without this file anybody may read, write and delete.
            "-s3.config=s3.json",
            # One identity is all there is to manage.
            "-s3.iam=false",
            # Doors that nothing here uses.
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            # By default in /tmp, where everybody sees them.
            "-filer.localSocket=filer.sock",
            "-s3.localSocket=s3.sock",
            # Nothing leaves this machine.
            "-master.telemetry=false",
        ]

    def clean_up(self) -> None:
        """Removes the sockets that a killed server leaves in /tmp; their place cannot be chosen.

        Nobody else can use them while it runs: they open to their owner alone, and ask for the certificate.
        """
        grpc = {name: self.ports[f"seaweedfs-{name}-grpc"] for name in ("s3", "master", "volume", "filer")}
        grpc["admin"] = self.ports["seaweedfs-admin"] + ADMIN_DISTANCE
        for name, port in grpc.items():
            left = Path("/tmp") / f"seaweedfs-{name}-grpc-{port}.sock"  # noqa: S108 - the server's choice
            if left.is_socket() and left.stat().st_uid == os.getuid():
                left.unlink(missing_ok=True)

    def _identities(self) -> str:
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        return json.dumps({"identities": [{"name": "triptych", "credentials": [keys], "actions": ["Admin"]}]})

    @staticmethod
    def _security() -> str:
        """security.toml, which the server looks for in its working folder."""
        certificate = 'ca = "authority.pem"\ncert = "certificate.pem"\nkey = "key.pem"'
        lines = []
        # A second lock on reading and writing files, for doors that are not behind the certificate: the
        # filer's socket, through which the S3 gateway goes. Fresh at each start: nobody else knows them.
        for key in ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read"):
            lines += [f"[{key}]", f'key = "{secrets.token_hex(32)}"']
        # Both ends of every internal connection show the certificate, or are refused.
        lines += ["[grpc]", 'ca = "authority.pem"']
        for part in ("master", "volume", "filer", "s3", "admin", "worker", "client"):
            lines += [f"[grpc.{part}]", certificate]
        for part in ("master", "volume", "filer", "admin"):
            lines += [f"[https.{part}]", certificate]
        lines += ["[https.client]", "enabled = true", certificate, ""]
        return "\n".join(lines)
