"""A line between a client and a server that can be cut, held, or answered in the server's place."""

import contextlib
import selectors
import socket
import threading
import time
from enum import Enum

#: How a server answers that has no room left.
_NO_ROOM = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Line(Enum):
    """What the line does."""

    OPEN = "open"  #: passes everything on
    CUT = "cut"  #: ends connections, and takes no new ones
    HELD = "held"  #: passes nothing on until it is open again: as when packets are lost and sent again
    FULL = "full"  #: answers HTTP's writes as a server with a full disk


class Proxy:
    """Listens on a port of its own and passes on to another, on this machine. Ends with `close`."""

    def __init__(self, target: int) -> None:
        self.line = Line.OPEN
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._selector.register(self._door, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"proxy-{target}")
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        for end in list(self._peers):
            self._drop(end)
        self._door.close()
        self._selector.close()

    def _work(self) -> None:
        while not self._closed.is_set():
            if self.line is Line.CUT:
                for end in list(self._peers):
                    self._drop(end)
            if self.line is Line.HELD:
                time.sleep(0.02)  # what is sent stays in the kernel's buffers
                continue
            for key, _ in self._selector.select(0.05):
                end = key.fileobj
                if end is self._door:
                    self._accept()
                elif end in self._peers:
                    self._pass_on(end)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._door.accept()
        if self.line is Line.CUT:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        for end, peer in ((client, server), (server, client)):
            end.settimeout(5)
            self._peers[end] = peer
            self._selector.register(end, selectors.EVENT_READ)
        self._clients.add(client)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            content = end.recv(1 << 16)
            if not content:
                self._drop(end)
            elif self.line is Line.FULL and end in self._clients and content.startswith((b"PUT ", b"POST ")):
                end.sendall(_NO_ROOM)
                self._drop(end)
            else:
                self._peers[end].sendall(content)
        except OSError:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        peer = self._peers.get(end)
        for each in (end, peer):
            if each is not None and self._peers.pop(each, None) is not None:
                self._clients.discard(each)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
