"""What the kernel knows of processes and their sockets, read from /proc, for tests."""

from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except OSError:
                continue
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def listening(pids: list[int]) -> dict[int, str]:
    """The TCP ports on which processes listen, and the address of each as the kernel writes it."""
    inodes = set(_socket_inodes(pids))
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == LISTENING and fields[9] in inodes:
                found[int(port, 16)] = address
    return found


def unix_sockets(pids: list[int]) -> list[Path]:
    """The sockets in the file system on which processes listen."""
    inodes = set(_socket_inodes(pids))
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    # Inode, then the path; a listening socket has the flag 0x10000.
    return [
        Path(fields[7])
        for fields in lines
        if len(fields) > 7 and fields[6] in inodes and int(fields[3], 16) & 0x10000 and fields[7][0] != "@"
    ]


def command_lines() -> Iterator[str]:
    """The arguments of every process of the machine, as every user may list them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


def _stat(pid: int) -> list[str]:
    # The name comes before, in brackets, and may contain anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _socket_inodes(pids: list[int]) -> Iterator[str]:
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
