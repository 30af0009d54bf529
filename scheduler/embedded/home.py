"""The private folder of the embedded stack: one class owns every path in it, and its condition."""

import os
import shutil
import tempfile
from pathlib import Path

from scheduler import settings
from scheduler.errors import StackError

#: Raised when the layout changes so that an older home can no longer be read.
LAYOUT = 1

#: A checkpoint of the largest model here is 1.3 GB while it is written; below this nothing useful can run,
#: and a Redis that cannot append to its file refuses every write.
LEAST_FREE_BYTES = 1 << 30

#: A log longer than this moves aside, so that a stack left alone for months does not fill the disk.
LONGEST_LOG_BYTES = 10 << 20


class Home:
    """Where the stack keeps its data, generated secrets, configuration and logs; only its owner may look."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or settings.home()
        self.layout = self.root / "layout"
        self.lock = self.root / "lock"
        self.ports = self.root / "ports.json"
        self.state = self.root / "state.json"
        self.secrets = self.root / "secrets"
        self.logs = self.root / "logs"
        self.stack_file = self.root / settings.stack_file().name

    def folder(self, server: str) -> Path:
        """The folder in which one server runs and keeps its data."""
        return self.root / server

    def log(self, part: str) -> Path:
        """All output of one part; the part before the last cut is beside it, with `.1` at its end."""
        return self.logs / f"{part}.log"

    def prepare(self) -> None:
        """Makes the folder, closes it to others, and refuses one in which the stack cannot work.

        Raises:
            StackError: it cannot be made or written, belongs to another user, was laid out by another
                version, or has too little space.
        """
        try:
            for folder in (self.root, self.secrets, self.logs):
                make_private(folder)
            write_private(self.root / ".writable", "")
            (self.root / ".writable").unlink()
        except OSError as error:
            raise StackError(
                f"cannot write to {self.root} ({error.strerror}): set TRIPTYCH_HOME to a folder of yours"
            ) from None
        self._check_layout()
        self._check_space()

    def _check_layout(self) -> None:
        if not self.layout.exists():
            write_private(self.layout, f"{LAYOUT}\n")
        found = self.layout.read_text().strip()
        if found != str(LAYOUT):
            raise StackError(
                f"{self.root} has layout {found!r} and this version of Triptych reads layout {LAYOUT}: "
                f"use the version that made it, or set TRIPTYCH_HOME to a new folder"
            )

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.root).free
        if free < LEAST_FREE_BYTES:
            raise StackError(
                f"only {free / 2**20:.0f} MiB are free in {self.root} and the stack needs "
                f"{LEAST_FREE_BYTES / 2**20:.0f} MiB: free some space, or set TRIPTYCH_HOME to a folder on "
                f"another disk"
            )


def make_private(folder: Path) -> None:
    """Makes a folder that only its owner may enter, or closes one that is there.

    Raises:
        OSError: it cannot be made, or its owner is another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600, whole or not at all."""
    # mkstemp gives mode 0600 from the first moment on: no reader can slip in between making and closing.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def cut_log(path: Path) -> None:
    """Moves a log that has grown long aside; the server that writes it need not know.

    Copied and emptied rather than renamed: the server holds the file open, and appends.
    """
    if path.exists() and path.stat().st_size > LONGEST_LOG_BYTES:
        old = path.with_name(f"{path.name}.1")
        shutil.copyfile(path, old)
        old.chmod(0o600)
        os.truncate(path, 0)


def last_line(path: Path) -> str:
    """The last line of a log that says something, or an empty text."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
