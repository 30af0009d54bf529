"""The artifact store: access to its objects on any S3 server. Their keys are in `keys.py`."""

import errno
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.etree.ElementTree import ParseError

from scheduler.errors import AccessRefused, DamagedArtifact, StoreRefused, UnknownArtifact, Unreachable
from scheduler.pieces import BLOCK, Joined, blocks
from scheduler.settings import StoreSettings
from scheduler.tls import hint

if TYPE_CHECKING:
    import urllib3
    from minio import Minio

#: Bytes that S3 takes in one request; more come in parts.
_LARGEST_PUT = 5 * 1024**3
_PART = 64 * 1024**2
_NO_BUCKET = "NoSuchBucket"
_MISSING = frozenset({"NoSuchKey", _NO_BUCKET, "NoSuchObject"})
_STRANGERS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
#: Faults of this machine's disk, which the SDK reports without a file's name.
_LOCAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG})


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing."""

    key: str
    size: int
    modified: float = 0.0  #: seconds since 1970, by the server's clock


class ArtifactStore:
    """Objects in one bucket of an S3 server. Safe to use from several threads.

    Every method raises `Unreachable` if the server does not answer after retries.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self._bucket = settings.s3_bucket

    @cached_property
    def _http(self) -> "urllib3.PoolManager":
        import urllib3

        return urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=30),
            maxsize=16,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(self.settings.ca_file) if self.settings.ca_file else None,
            # Together about 6 s: a restarting server is waited for; a missing one is said to be missing.
            # One that takes a request and says nothing is asked three times.
            retries=urllib3.Retry(total=5, read=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )

    @cached_property
    def _minio(self) -> "Minio":
        from minio import Minio  # slow to import, and whoever only lists jobs needs no objects

        endpoint, secure = self.settings.endpoint
        return Minio(
            endpoint,
            access_key=self.settings.s3_access_key.get_secret_value(),
            secret_key=self.settings.s3_secret_key.get_secret_value(),
            region=self.settings.s3_region,
            secure=secure,
            http_client=self._http,
        )

    def ensure_bucket(self) -> None:
        """Makes the bucket if it is missing."""
        from minio.error import S3Error

        with self._speaking():
            if not self._minio.bucket_exists(self._bucket):
                try:
                    self._minio.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                        raise

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Writes an object; it appears whole or not at all."""
        self._write(
            key,
            lambda: self._minio.put_object(
                self._bucket, key, io.BytesIO(content), len(content), content_type
            ),
        )

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Writes an object from a file; it appears whole or not at all."""
        self._write(key, lambda: self._minio.fput_object(self._bucket, key, str(path), content_type))

    def put_pieces(self, key: str, pieces: Sequence[memoryview]) -> None:
        """Writes an object from its bytes, one piece after the other; it appears whole or not at all.

        What the SDK would copy, and hash once more for the signature, goes from memory to the socket.
        """
        size = sum(piece.nbytes for piece in pieces)
        if size > _LARGEST_PUT:

            def put() -> None:
                stream = io.BufferedReader(Joined(pieces), BLOCK)
                self._minio.put_object(self._bucket, key, stream, size, part_size=_PART)

            self._write(key, put)
        else:
            body = cast("Iterable[bytes]", blocks(pieces))  # a list, so that it can be sent again
            self._expect_ok(key, self._put_signed(key, body, {"Content-Length": str(size)}))

    def _write(self, key: str, put: Callable[[], object]) -> None:
        from minio.error import S3Error

        with self._speaking(key):
            try:
                put()
            except S3Error as error:
                if error.code != _NO_BUCKET:
                    raise
                # A new server in place of the old one: whoever writes first makes the bucket.
                self.ensure_bucket()
                put()

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
            answer = self._http.request("PUT", address, body=body, headers=headers)
            if answer.status == HTTPStatus.NOT_FOUND:  # the bucket, as of a new server
                self.ensure_bucket()
                answer = self._http.request("PUT", address, body=body, headers=headers)
            return answer.status

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
        try:
            return json.loads(self.get(key))
        except ValueError as error:
            raise DamagedArtifact(f"{key!r} in the store is not JSON") from error

    def get_file(self, key: str, path: Path) -> Path:
        """Copies an object to a file, which appears whole or not at all.

        Raises:
            UnknownArtifact: there is none of that key.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        incomplete = path.with_name(f"{path.name}.part")
        # Not the SDK's own way, which asks twice: of a thousand small pieces that is most of the time.
        with self._speaking(key):
            response = self._minio.get_object(self._bucket, key)
            try:
                with incomplete.open("wb") as file:
                    file.writelines(response.stream(BLOCK))
            finally:
                response.close()
                response.release_conn()
        incomplete.replace(path)
        return path

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        try:
            with self._speaking(key):
                self._minio.stat_object(self._bucket, key)
        except UnknownArtifact:
            return False
        return True

    def etags(self, prefix: str) -> dict[str, str]:
        """Key -> what the server has for a digest, of all objects whose key begins like this."""
        with self._speaking(prefix):
            found = self._minio.list_objects(self._bucket, prefix, recursive=True)
            return {item.object_name or "": item.etag or "" for item in found}

    def delete(self, key: str) -> None:
        """Removes an object; none of that key is fine."""
        with self._speaking(key):
            self._minio.remove_object(self._bucket, key)

    def delete_all(self, keys: Iterable[str]) -> None:
        """Removes objects, a thousand in a request."""
        from minio.deleteobjects import DeleteObject

        with self._speaking():
            for error in self._minio.remove_objects(self._bucket, map(DeleteObject, keys)):
                raise StoreRefused(
                    f"the S3 server at {self.settings.s3_url} keeps {error.name!r}: {error.message}"
                )

    def under(self, folder: str, recursive: bool = True) -> Iterator[StoredObject]:
        """Objects under a folder, in the order of their keys."""
        with self._speaking(folder):
            for item in self._minio.list_objects(self._bucket, folder, recursive=recursive):
                modified = item.last_modified.timestamp() if item.last_modified else 0.0
                yield StoredObject(item.object_name or "", item.size or 0, modified)

    @contextmanager
    def _speaking(self, key: str = "") -> Iterator[None]:
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            yield
        except S3Error as error:
            if error.code in _MISSING:
                raise UnknownArtifact(f"the store has no {key!r}") from None
            if error.code in _STRANGERS:
                raise AccessRefused(
                    f"the S3 server at {self.settings.s3_url} refuses these keys ({error.code}): check "
                    "TRIPTYCH_S3_ACCESS_KEY and TRIPTYCH_S3_SECRET_KEY"
                ) from None
            raise StoreRefused(
                f"the S3 server at {self.settings.s3_url} answered {error.code}: {error.message}"
            ) from error
        except MinioException as error:
            # Not in S3's own words: a proxy in between, or a server whose disk is full.
            raise StoreRefused(f"the S3 server at {self.settings.s3_url} answered: {error}") from error
        except (HTTPError, OSError) as error:
            if isinstance(error, OSError) and (error.filename or error.errno in _LOCAL):
                raise  # the local disk, not the server
            url = self.settings.s3_url
            if why := hint(error, self.settings.ca_file):
                raise AccessRefused(f"the S3 server at {url} does not answer: {why}") from error
            raise Unreachable(
                f"the S3 server at {url} does not answer: is it running? ({type(error).__name__})"
            ) from error
        except (ParseError, ValueError, LookupError, AttributeError, TypeError) as error:
            # What the SDK comes to when the answer is a page of something else.
            raise StoreRefused(
                f"what answers at {self.settings.s3_url} does not speak S3 ({type(error).__name__}): check "
                "TRIPTYCH_S3_URL"
            ) from error


def _as_json(data: Any) -> bytes:
    return json.dumps(data, indent=2, sort_keys=True).encode()
