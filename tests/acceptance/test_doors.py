"""Who may enter the stack: from this machine only, by the password only, at every door."""

import base64
import io
import json
import re
import socket
import ssl
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import urllib3
from minio import Minio
from minio.error import S3Error

from scheduler.embedded import Stack
from scheduler.embedded.certificates import write_certificates
from tests import processes, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: 127.0.0.1 and ::1, as the kernel writes them; MinIO takes both when told the first.
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
SIDE_DOORS = ("master", "volume", "filer", "admin")


@pytest.fixture(scope="module", params=["seaweed", "minio"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with servers.stack(tmp_path_factory.mktemp("home"), request.param) as whole:
        yield whole


@pytest.fixture
def pids(stack: Stack) -> list[int]:
    return processes.family(stack.status().pid)


@pytest.fixture
def ports(stack: Stack) -> dict[str, int]:
    chosen = json.loads(stack.home.ports.read_text())
    if not (stack.home.root / "seaweedfs").exists():
        return {name: port for name, port in chosen.items() if not name.startswith("seaweedfs")}
    return chosen


@pytest.fixture
def secrets(stack: Stack) -> list[str]:
    found = [file.read_text().strip() for file in stack.home.secrets.iterdir()]
    for file in stack.home.root.rglob("security.toml"):
        found += re.findall(r'key = "([0-9a-f]{64})"', file.read_text())
    for file in stack.home.root.rglob("key.pem"):
        found.append(file.read_text().splitlines()[1])
    assert all(len(secret) >= 20 for secret in found)
    return found


def test_everything_listens_on_this_machine_only(pids: list[int], ports: dict[str, int]) -> None:
    listening = processes.listening(pids)
    assert set(listening.values()) <= LOOPBACK
    assert {ports["redis"], ports["s3"], ports["flower"]} <= set(listening)


def test_there_is_no_door_that_no_test_here_tries(
    stack: Stack, pids: list[int], ports: dict[str, int]
) -> None:
    known = set(ports.values()) | {port + 10_000 for name, port in ports.items() if name == "seaweedfs-admin"}
    assert set(processes.listening(pids)) <= known
    assert not _seaweed(stack) or len(_certificate_doors(ports)) == 9


def test_redis_refuses_a_caller_without_the_password(ports: dict[str, int]) -> None:
    for password, refusal in ((None, redis.AuthenticationError), ("wrong", redis.AuthenticationError)):
        with (
            redis.Redis(host="127.0.0.1", port=ports["redis"], password=password) as client,
            pytest.raises(refusal),
        ):
            client.get("anything")


def test_s3_refuses_a_caller_without_the_keys(stack: Stack, ports: dict[str, int]) -> None:
    access_key = (stack.home.secrets / "s3-access-key").read_text().strip()
    for keys in ((None, None), (access_key, "wrong-secret"), ("wrong-access", "wrong-secret")):
        with urllib3.PoolManager(retries=False) as pool:
            client = Minio(
                f"127.0.0.1:{ports['s3']}", *keys, secure=False, region="us-east-1", http_client=pool
            )
            for attempt in (
                client.list_buckets,
                lambda: list(client.list_objects(bucket_name="triptych")),  # noqa: B023
                lambda: client.get_object(bucket_name="triptych", object_name="jobs/x"),  # noqa: B023
                lambda: client.remove_object(bucket_name="triptych", object_name="jobs/x"),  # noqa: B023
                lambda: client.put_object(  # noqa: B023
                    bucket_name="triptych", object_name="jobs/x", data=io.BytesIO(b"1"), length=1
                ),
                lambda: client.make_bucket(bucket_name="another"),  # noqa: B023
                lambda: client.remove_bucket(bucket_name="triptych"),  # noqa: B023
            ):
                with pytest.raises(S3Error) as refused:
                    attempt()
                assert refused.value.code in ("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId")


def test_s3_gives_a_browser_nothing(ports: dict[str, int]) -> None:
    for path in ("/", "/triptych", "/triptych/jobs/x", "/metrics", "/minio/v2/metrics/cluster", "/status/x"):
        assert _get(f"http://127.0.0.1:{ports['s3']}{path}") in (400, 403, 404)


def test_flower_refuses_every_page_without_the_password(ports: dict[str, int]) -> None:
    from flower.urls import handlers

    patterns = [getattr(handler, "regex", None) or re.compile(handler[0]) for handler in handlers]
    paths = [re.sub(r"\([^)]*\)", "x", pattern.pattern.rstrip("$")).replace("/?", "") for pattern in patterns]
    assert "/metrics" in paths
    assert len(paths) > 30
    for path in set(paths) - {"/static/x", ".*"}:
        for password in (None, "wrong"):
            answers = {_flower(ports, path, password, method)[0] for method in ("GET", "POST")}
            # 405: there is nothing at all to be had by this method.
            assert answers in ({401}, {401, 405}), path


def test_flower_opens_to_the_password(stack: Stack, ports: dict[str, int]) -> None:
    password = stack.status().flower_password_file.read_text().strip()
    assert _flower(ports, "/tasks", password)[0] == 200
    assert stack.status().flower_url == f"http://127.0.0.1:{ports['flower']}"


def test_side_doors_of_the_s3_server_speak_to_nobody_without_its_certificate(
    stack: Stack, ports: dict[str, int], tmp_path: Path
) -> None:
    if not _seaweed(stack):
        pytest.skip("MinIO has none")
    foreign = [tmp_path / name for name in ("authority.pem", "certificate.pem", "key.pem")]
    write_certificates(*foreign)
    for port in _certificate_doors(ports):
        for certificate in (None, (foreign[1], foreign[2])):
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                _speak_tls(port, certificate)
        # The proof that the refusals above are for want of the certificate.
        folder = stack.home.root / "seaweedfs"
        assert _speak_tls(port, (folder / "certificate.pem", folder / "key.pem"))


def test_side_doors_of_the_s3_server_speak_to_no_plain_caller(stack: Stack, ports: dict[str, int]) -> None:
    if not _seaweed(stack):
        pytest.skip("MinIO has none")
    tries = ("/", "/dir/assign", "/dir/status", "/ui/index.html", "/status", "/buckets/?pretty=y", "/health")
    for door in SIDE_DOORS:
        for path in tries:
            for method in ("GET", "PUT", "DELETE"):
                assert _get(f"http://127.0.0.1:{ports[f'seaweedfs-{door}']}{path}", method) in (400, 0)
    for port in _certificate_doors(ports):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            plain.shutdown(socket.SHUT_WR)
            # At most a complaint; never a page of HTTP/2 (its first frame is SETTINGS, type 4).
            assert _read_all(plain)[3:4] != b"\4"


def test_sockets_in_the_file_system_open_to_their_owner_only(stack: Stack, pids: list[int]) -> None:
    found = processes.unix_sockets(pids)
    assert not _seaweed(stack) or len(found) >= 2
    for path in found:
        where = path if path.is_absolute() else stack.home.root / "seaweedfs" / path
        assert stat.S_IMODE(where.stat().st_mode) & 0o077 == 0, where


def test_every_file_of_the_home_is_its_owners_alone(stack: Stack) -> None:
    for path in (stack.home.root, *stack.home.root.rglob("*")):
        # Servers choose the modes of their own data, in a folder that nobody else can enter.
        if path.exists() and "data" not in path.parent.parts:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_secret_is_in_a_log_or_in_a_process_list(stack: Stack, secrets: list[str]) -> None:
    logs = "".join(file.read_text(errors="replace") for file in stack.home.logs.iterdir())
    assert "ready" in logs
    lines = "\n".join(processes.command_lines())
    assert "flower_program" in lines
    for secret in secrets:
        assert secret not in logs
        assert secret not in lines


def test_no_secret_is_on_a_page_of_flower(stack: Stack, ports: dict[str, int], secrets: list[str]) -> None:
    password = stack.status().flower_password_file.read_text().strip()
    workers: dict[str, object] = {}

    def knows_the_worker() -> bool:
        workers.update(json.loads(_flower(ports, "/api/workers?refresh=1", password)[1]))
        return bool(workers)

    servers.wait_until(knows_the_worker, what="Flower's look at the worker")
    paths = [
        "/",
        "/workers",
        "/workers?json=1",
        "/tasks",
        "/broker",
        "/api/workers",
        "/api/tasks",
        "/metrics",
    ]
    for path in [*paths, *(f"/worker/{name}" for name in workers)]:
        code, page = _flower(ports, path, password)
        assert code == 200, path
        for secret in secrets:
            assert secret not in page, path


def _seaweed(stack: Stack) -> bool:
    return (stack.home.root / "seaweedfs").exists()


def _certificate_doors(ports: dict[str, int]) -> list[int]:
    """The doors of SeaweedFS but S3's own, and but WebDAV, which is off."""
    doors = [ports[f"seaweedfs-{name}"] for name in SIDE_DOORS]
    doors += [ports[f"seaweedfs-{name}-grpc"] for name in ("s3", "master", "volume", "filer")]
    return [*doors, ports["seaweedfs-admin"] + 10_000]


def _speak_tls(port: int, certificate: tuple[Path, Path] | None) -> bytes:
    """Connects, asks for a page, and returns the answer's first bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # What gRPC insists on.
    context.set_alpn_protocols(["h2", "http/1.1"])
    if certificate:
        context.load_cert_chain(*certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        # A refusal arrives with the first answer, not before.
        return secure.recv(9)


def _read_all(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while more := connection.recv(4096):
            answer += more
    except OSError:
        pass
    return answer


def _get(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> int:
    return _ask(url, method, headers)[0]


def _ask(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
    question = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            question, timeout=10
        ) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except (urllib.error.URLError, ConnectionError):
        # Hung up on.
        return 0, ""


def _flower(ports: dict[str, int], path: str, password: str | None, method: str = "GET") -> tuple[int, str]:
    headers = {}
    if password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"triptych:{password}".encode()).decode()
    return _ask(f"http://127.0.0.1:{ports['flower']}{path}", method, headers)
