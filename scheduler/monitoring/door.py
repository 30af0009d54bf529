"""The exporter's door: `GET /metrics` for those who know the password."""

import base64
import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from redis.exceptions import RedisError

from scheduler.errors import NotConfigured, NotInstalled
from scheduler.records import Records
from scheduler.settings import PREFIX, MetricsSettings

logger = logging.getLogger(__name__)

#: As for Flower.
USER = "triptych"
_PATH = "/metrics"
#: Of Prometheus's text format as `generate_latest` writes it.
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def open_door(settings: MetricsSettings, records: Records) -> Iterator[None]:
    """Answers scrapes in the background, if a port is set; off otherwise.

    Raises:
        NotConfigured: there is no password, or the port is taken.
        NotInstalled: `prometheus_client` is missing.
    """
    if settings.metrics_port is None:
        yield
        return
    if settings.metrics_password is None:
        raise NotConfigured(f"{PREFIX}METRICS_PORT is set: set {PREFIX}METRICS_PASSWORD, too")
    told = _figures(records)
    address = (settings.metrics_address, settings.metrics_port)
    try:
        server = _Server(address, settings.metrics_password.get_secret_value(), told)
    except OSError as error:
        raise NotConfigured(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}") from None
    with server:
        Thread(target=server.serve_forever, daemon=True, name="exporter").start()
        logger.info("exporter: http://%s:%d%s, user %s", *server.server_address[:2], _PATH, USER)
        try:
            yield
        finally:
            server.shutdown()


def _figures(records: Records) -> Callable[[], bytes]:
    try:  # a scheduler that nobody scrapes needs no such package
        from prometheus_client import generate_latest

        from scheduler.monitoring.figures import Figures
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{PREFIX}METRICS_PORT is set, but the package {error.name} is missing: "
            "it comes with the extra `flower`"
        ) from None
    return partial(generate_latest, Figures(records))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], password: str, told: Callable[[], bytes]) -> None:
        token = base64.b64encode(f"{USER}:{password}".encode())
        self.expected = b"Basic " + token
        self.told = told
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "triptych"
    sys_version = ""
    timeout = 10  #: seconds for whoever has connected and says nothing

    def do_GET(self) -> None:
        """Refuses strangers first, so that they do not even learn what there is."""
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, self.server.expected):
            self._answer(HTTPStatus.UNAUTHORIZED, "the password is missing or wrong\n")
        elif self.path.partition("?")[0] != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"there is only {_PATH}\n")
        else:
            self._show()

    def _show(self) -> None:
        try:
            text = self.server.told().decode()
        except (RedisError, OSError) as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"Redis does not answer: {type(error).__name__}\n")
        else:
            self._answer(HTTPStatus.OK, text, _CONTENT_TYPE)

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="triptych"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """A line for each scrape would be all that the log holds."""
