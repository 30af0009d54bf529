"""Ports of the embedded stack: free ones, chosen once and kept, so that addresses survive a restart."""

import errno
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scheduler.embedded.home import write_private
from scheduler.errors import StackError

#: How far above its preferred port a door may move.
REACH = 500


@dataclass(frozen=True)
class Door:
    """A port that one server listens on, and the port it has when nobody else does."""

    name: str
    preferred: int
    #: A server that opens a second port at a fixed distance needs both.
    also: tuple[int, ...] = ()


def choose(remembered: Path, doors: Iterable[Door]) -> dict[str, int]:
    """A free port for each door by name: the one it had before, else its preferred one, else one above.

    Raises:
        StackError: none is free.
    """
    before = _read(remembered)
    chosen = dict(before)
    taken = set[int]()
    for door in doors:
        first = before.get(door.name, door.preferred)
        candidates = (first, *range(door.preferred, door.preferred + REACH))
        for port in candidates:
            needed = {port, *(port + distance for distance in door.also)}
            if not needed & taken and all(is_free(one) for one in needed):
                break
        else:
            raise StackError(
                f"no port is free for {door.name} from {door.preferred} to {door.preferred + REACH - 1}: "
                f"end what listens there"
            )
        chosen[door.name] = port
        taken |= needed
    if chosen != before:
        write_private(remembered, json.dumps(chosen, indent=1))
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now, on this machine's own address and on all of them."""
    # Both, because a server that listens on every address takes the port of 127.0.0.1 too, and SeaweedFS
    # itself refuses a port that is taken on any address.
    return _can_bind(socket.AF_INET, "127.0.0.1", port) and _can_bind(socket.AF_INET6, "::", port)


def _can_bind(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # What servers set: a port whose last connections are still winding down counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        # A machine without IPv6 has no such address to take.
        return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def _read(path: Path) -> dict[str, int]:
    try:
        kept = json.loads(path.read_text())
        return {str(name): int(port) for name, port in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # Missing at the first start; unreadable after a full disk. Either way ports are found anew.
        return {}
