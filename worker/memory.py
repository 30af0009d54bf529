"""How much memory a process and all that descend from it hold."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")


def resident(pid: int, processes: Path = _PROCESSES) -> int | None:
    """Bytes resident, of a process and its descendants; None where it cannot be measured.

    Pages that several of them share count for each.
    """
    try:
        rows = list(_from_proc(processes) if (processes / "self").exists() else _from_ps())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    held = {process: size for process, _, size in rows}
    family = [pid]
    for member in family:  # grows while it is walked
        family += [process for process, parent, _ in rows if parent == member]
    return sum(held.get(member, 0) for member in family) or None


def _from_proc(processes: Path) -> Iterator[tuple[int, int, int]]:
    """(process, parent, bytes) of every process."""
    for entry in processes.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):  # it has ended meanwhile
            lines = (entry / "status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            # "1234 kB"; a process of the kernel, or one that has ended, holds nothing.
            yield int(entry.name), int(fields["PPid"]), int(fields.get("VmRSS", "0").split()[0]) * 1024


def _from_ps() -> Iterator[tuple[int, int, int]]:
    answer = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True, timeout=5
    )
    for line in answer.stdout.splitlines():
        process, parent, kibibytes = line.split()
        yield int(process), int(parent), int(kibibytes) * 1024
