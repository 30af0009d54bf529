"""What the S3 servers have in common: one bucket, one pair of keys, and the proof that they store."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import urllib3
from minio import Minio
from minio.error import MinioException

from scheduler.embedded.ports import Door
from scheduler.embedded.service import Service
from scheduler.settings import PREFIX, StoreSettings

#: Written and removed again at every start. Outside `jobs/` and `datasets/`, so that no listing shows it.
PROBE = "stack/ready"


@dataclass(frozen=True, repr=False)
class S3Server(Service):
    """The artifact store."""

    name: ClassVar[str] = "s3"
    #: Its folder in the home: two kinds cannot read each other's objects.
    folder_name: ClassVar[str]
    #: What it listens on; one is named `s3`.
    doors: ClassVar[tuple[Door, ...]]

    program: Path
    folder: Path
    ports: dict[str, int]
    access_key: str
    secret_key: str

    @property
    def address(self) -> str:
        """The address that clients are given."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def variables(self) -> dict[str, str]:
        """How a client reaches it."""
        return {
            f"{PREFIX}S3_URL": self.address,
            f"{PREFIX}S3_ACCESS_KEY": self.access_key,
            f"{PREFIX}S3_SECRET_KEY": self.secret_key,
        }

    def ready(self) -> bool:
        """Whether the bucket is there and an object could be stored: an answer alone is not enough."""
        bucket = str(StoreSettings.model_fields["s3_bucket"].default)
        region = str(StoreSettings.model_fields["s3_region"].default)
        with urllib3.PoolManager(retries=False, timeout=2) as pool:
            client = Minio(
                f"127.0.0.1:{self.ports['s3']}",
                self.access_key,
                self.secret_key,
                secure=False,
                region=region,
                http_client=pool,
            )
            try:
                if not client.bucket_exists(bucket_name=bucket):
                    client.make_bucket(bucket_name=bucket)
                client.put_object(bucket_name=bucket, object_name=PROBE, data=io.BytesIO(b"1"), length=1)
                client.remove_object(bucket_name=bucket, object_name=PROBE)
            except (MinioException, urllib3.exceptions.HTTPError):
                return False
        return True
