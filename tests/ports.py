"""Ports for servers of tests: nobody listens on them, and no other process of tests is given the same."""

import os
import socket
from itertools import count

#: Below the ports that systems take for outgoing connections, so that none of those comes in between; a port
#: at a distance of up to `_ALSO` from the last one is below them, too.
_FIRST, _LAST, _ALSO = 10_240, 22_239, 10_000
#: Held until this process ends: a port of UDP, which no server here uses, stands for the one of TCP.
_claims: list[socket.socket] = []
#: Processes of tests that run beside each other begin at different places.
_candidates = count(os.getpid() * 101)


def free_port(*, also: int = 0) -> int:
    """A port for a server that is yet to start, and the one at a distance from it; never given away again."""
    assert also <= _ALSO
    for _ in range(_FIRST, _LAST + 1):
        port = _FIRST + next(_candidates) % (_LAST + 1 - _FIRST)
        if _claim({port, port + also}):
            return port
    raise AssertionError(f"no port from {_FIRST} to {_LAST} is free")


def _claim(ports: set[int]) -> bool:
    claims = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
    try:
        for claim, port in zip(claims, ports, strict=True):
            claim.bind(("127.0.0.1", port))
            for host in ("127.0.0.1", ""):  # a server may listen on this machine's own address, or on all
                with socket.socket() as server:
                    server.bind((host, port))
    except OSError:
        for claim in claims:
            claim.close()
        return False
    _claims.extend(claims)
    return True
