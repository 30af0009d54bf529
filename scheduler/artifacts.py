"""The artifact store: the layout of its keys, and access to it on any S3 server."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from jobs.keeping import CheckpointName
from jobs.names import checked_name, checked_path
from scheduler.errors import StoreRefused, UnknownArtifact, Unreachable
from scheduler.pieces import BLOCK, Joined, blocks
from scheduler.settings import StoreSettings
from scheduler.tls import hint

#: Bytes that S3 takes in one request; more come in parts.
_LARGEST_PUT = 5 * 1024**3
_PART = 64 * 1024**2
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject"})


@dataclass(frozen=True)
class JobKeys:
    """The keys of one job. Its names are checked, so that no key leaves the job's own folder."""

    job_id: str

    @property
    def folder(self) -> str:
        """Everything of the job lies under this."""
        return f"jobs/{checked_name(self.job_id, 'job id')}/"

    @property
    def spec(self) -> str:
        """What was asked."""
        return f"{self.folder}spec.json"

    @property
    def result(self) -> str:
        """Written last; its existence means complete."""
        return f"{self.folder}result.json"

    @property
    def ending(self) -> str:
        """How a job ended that left no result, so that the store alone can tell it from an unfinished one."""
        return f"{self.folder}ending.json"

    @property
    def logs(self) -> str:
        """Folder of the logs."""
        return f"{self.folder}logs/"

    @property
    def all_metrics(self) -> str:
        """Folder of the metrics."""
        return f"{self.folder}metrics/"

    def metrics(self, attempt: int) -> str:
        """One line a report, from the job's first step on, as one attempt tells it."""
        return f"{self.all_metrics}{attempt:04d}.jsonl"

    @property
    def checkpoints(self) -> str:
        """Folder of the checkpoints."""
        return f"{self.folder}checkpoints/"

    def checkpoint(self, name: CheckpointName) -> str:
        """A checkpoint; zeros in front, so that the order of keys is the order of steps."""
        return f"{self.checkpoints}{name}"

    @property
    def shards(self) -> str:
        """Folder of the pieces of a result that is not whole yet; gone once it is."""
        return f"{self.folder}shards/"

    def shard(self, name: str) -> str:
        """A piece of a result that is not whole yet."""
        return f"{self.shards}{checked_path(name, 'shard name')}"

    @property
    def samples(self) -> str:
        """Folder of the pictures along the way."""
        return f"{self.folder}samples/"

    def sample(self, step: int) -> str:
        """A picture of the work in progress."""
        return f"{self.samples}{step:012d}.png"

    @property
    def artifacts(self) -> str:
        """Folder of what people came for."""
        return f"{self.folder}artifacts/"

    def artifact(self, name: str) -> str:
        """A file that people came for; its name may contain `/`."""
        return f"{self.artifacts}{checked_path(name, 'artifact name')}"

    @property
    def environments(self) -> str:
        """Folder of what is known of the places in which attempts ran."""
        return f"{self.folder}environment/"

    def environment(self, attempt: int) -> str:
        """Where one attempt ran: worker, processor, versions."""
        return f"{self.environments}{attempt}.json"

    def log(self, attempt: int) -> str:
        """All output of one attempt's runner."""
        return f"{self.logs}{attempt}.log"


@dataclass(frozen=True)
class DataSetKeys:
    """The keys of one data set."""

    name: str

    @property
    def folder(self) -> str:
        """Everything of the data set lies under this."""
        return f"datasets/{checked_name(self.name, 'data set name')}/"

    @property
    def current(self) -> str:
        """Which content the name stands for now; written last."""
        return f"{self.folder}current.json"

    def content(self, digest: str) -> str:
        """The images, addressed by the digest of their content."""
        return f"{self.folder}{checked_path(digest, 'digest')}.npz"

    def files(self, digest: str) -> str:
        """Texts, or a checkpoint, addressed by the digest of the files."""
        return f"{self.folder}{checked_path(digest, 'digest')}.zip"


def cache_key(name: str) -> str:
    """The key of what several jobs share and any of them can make anew; the whole folder may be deleted."""
    return f"cache/{checked_path(name, 'cache entry')}"


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing."""

    key: str
    size: int


class ArtifactStore:
    """Objects in one bucket of an S3 server. Safe to use from several threads.

    Every method raises `Unreachable` if the server does not answer after retries.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        endpoint, secure = settings.endpoint
        self._bucket = settings.s3_bucket
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60),
            maxsize=16,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(settings.ca_file) if settings.ca_file else None,
            # Together about 6 s: a restarting server is waited for; a missing one is said to be missing.
            retries=urllib3.Retry(total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._minio = Minio(
            endpoint,
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
            region=settings.s3_region,
            secure=secure,
            http_client=self._http,
        )

    def ensure_bucket(self) -> None:
        """Makes the bucket if it is missing."""
        with self._speaking():
            if not self._minio.bucket_exists(self._bucket):
                try:
                    self._minio.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                        raise

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Writes an object; it appears whole or not at all."""
        with self._speaking(key):
            self._minio.put_object(self._bucket, key, io.BytesIO(content), len(content), content_type)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Writes an object from a file; it appears whole or not at all."""
        with self._speaking(key):
            self._minio.fput_object(self._bucket, key, str(path), content_type)

    def put_pieces(self, key: str, pieces: Sequence[memoryview]) -> None:
        """Writes an object from its bytes, one piece after the other; it appears whole or not at all.

        What the SDK would copy, and hash once more for the signature, goes from memory to the socket.
        """
        size = sum(piece.nbytes for piece in pieces)
        if size > _LARGEST_PUT:
            stream = io.BufferedReader(Joined(pieces), BLOCK)
            with self._speaking(key):
                self._minio.put_object(self._bucket, key, stream, size, part_size=_PART)
        else:
            body = cast("Iterable[bytes]", blocks(pieces))  # a list, so that it can be sent again
            self._expect_ok(key, self._put_signed(key, body, {"Content-Length": str(size)}))

    def put_json(self, key: str, data: Any) -> None:
        """Writes JSON."""
        self.put(key, _as_json(data), "application/json")

    def put_new_json(self, key: str, data: Any) -> bool:
        """Writes JSON unless there is an object of that key, in one step; False if there is."""
        return self.put_new(key, _as_json(data), "application/json")

    def put_new(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> bool:
        """Writes an object unless there is one of that key, in one step; False if there is."""
        headers = {"If-None-Match": "*", "Content-Type": content_type}
        status = self._put_signed(key, content, headers)
        if status == HTTPStatus.PRECONDITION_FAILED:
            return False
        self._expect_ok(key, status)
        return True

    def _put_signed(self, key: str, body: bytes | Iterable[bytes], headers: Mapping[str, str]) -> int:
        # The SDK takes neither a condition nor a body in pieces; an address that it has signed takes both.
        with self._speaking(key):
            address = self._minio.presigned_put_object(self._bucket, key, expires=timedelta(minutes=10))
            return self._http.request("PUT", address, body=body, headers=headers).status

    def _expect_ok(self, key: str, status: int) -> None:
        if status != HTTPStatus.OK:
            raise StoreRefused(f"the S3 server at {self.settings.s3_url} answered {status} to {key!r}")

    def get(self, key: str) -> bytes:
        """Reads an object.

        Raises:
            UnknownArtifact: there is none of that key.
        """
        with self._speaking(key):
            response = self._minio.get_object(self._bucket, key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

    def get_json(self, key: str) -> Any:
        """Reads JSON.

        Raises:
            UnknownArtifact: there is none of that key.
        """
        return json.loads(self.get(key))

    def get_file(self, key: str, path: Path) -> Path:
        """Copies an object to a file, which appears whole or not at all.

        Raises:
            UnknownArtifact: there is none of that key.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._speaking(key):
            self._minio.fget_object(self._bucket, key, str(path))
        return path

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        try:
            with self._speaking(key):
                self._minio.stat_object(self._bucket, key)
        except UnknownArtifact:
            return False
        return True

    def delete(self, key: str) -> None:
        """Removes an object; none of that key is fine."""
        with self._speaking(key):
            self._minio.remove_object(self._bucket, key)

    def under(self, folder: str, recursive: bool = True) -> Iterator[StoredObject]:
        """Objects under a folder, in the order of their keys."""
        with self._speaking(folder):
            for item in self._minio.list_objects(self._bucket, folder, recursive=recursive):
                yield StoredObject(item.object_name or "", item.size or 0)

    @contextmanager
    def _speaking(self, key: str = "") -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if error.code in _MISSING:
                raise UnknownArtifact(f"the store has no {key!r}") from None
            if error.code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
                raise Unreachable(
                    f"the S3 server at {self.settings.s3_url} refuses these keys ({error.code}): check "
                    "TRIPTYCH_S3_ACCESS_KEY and TRIPTYCH_S3_SECRET_KEY"
                ) from None
            raise StoreRefused(
                f"the S3 server at {self.settings.s3_url} answered {error.code}: {error.message}"
            ) from error
        except MinioException as error:
            # Not in S3's own words: a proxy in between, or a server whose disk is full.
            raise StoreRefused(f"the S3 server at {self.settings.s3_url} answered: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.filename:
                raise  # the local disk, not the server
            why = hint(error, self.settings.ca_file) or f"is it running? ({type(error).__name__})"
            raise Unreachable(f"the S3 server at {self.settings.s3_url} does not answer: {why}") from error


def _as_json(data: Any) -> bytes:
    return json.dumps(data, indent=2, sort_keys=True).encode()
