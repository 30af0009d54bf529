"""How tests are spread over processes: by file, so that a file's fixtures are made once."""

from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import TypeVar
from zlib import crc32

from xdist.scheduler import LoadScopeScheduling

from worker.devices import usable_cores
from worker.memory import usable_memory

#: Files too long for one process, and how many share it: no more, since each imports TensorFlow to fork from.
_SHARES = {"tests/unit/test_verification.py": 2}
#: Files whose tests look at one running stack: it is started in one process, not in each.
_TOGETHER = "tests/acceptance/"
_OF_ITS_OWN = ("tests/acceptance/test_stack.py", "tests/acceptance/test_doors.py")
#: Tests that mostly wait for other processes, and tests that mostly compute; the longest files first.
_WAITING = ("tests/chaos/", "tests/acceptance/test_stack.py", "tests/acceptance/", "tests/integration/")
_COMPUTING = ("tests/unit/test_verification.py", "tests/unit/test_parts_of_kinds.py", "tests/unit/")
#: What one process of tests may need, with the processes that its tests start.
_MEMORY = 3 << 30

_Item = TypeVar("_Item")


class ByFile(LoadScopeScheduling):
    """Gives a process the tests of a file, and the next file once it is nearly done."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """What a test is given to a process with: its file, a share of it, or a folder."""
    file = nodeid.partition("::")[0]
    if file.startswith(_TOGETHER) and file not in _OF_ITS_OWN:
        return _TOGETHER
    return _share_of(nodeid)


def _share_of(nodeid: str) -> str:
    """The test's file, with the number of its share where there are several."""
    file = nodeid.partition("::")[0]
    return f"{file} {crc32(nodeid.encode()) % _SHARES[file]}" if file in _SHARES else file


def processes() -> int:
    """How many: two more than cores, since some wait, as far as there is memory for them."""
    return max(1, min(usable_cores() + 2, usable_memory() // _MEMORY))


def in_order(items: Iterable[tuple[str, _Item]]) -> list[_Item]:
    """Of tests by their ids, those of waiting and of computing files in turn, so that no processor is idle.

    Long files are first: with small ones at the end, all processes end at about the same time.
    """
    files: dict[str, list[_Item]] = {}
    for nodeid, item in items:
        files.setdefault(_share_of(nodeid), []).append(item)
    waiting, computing = _sorted(files, _WAITING), _sorted(files, _COMPUTING)
    turns = chain.from_iterable(zip_longest(waiting, computing))
    ordered = [name for name in turns if name is not None]
    ordered += [name for name in files if name not in ordered]
    return [item for name in ordered for item in files[name]]


def _sorted(files: Iterable[str], prefixes: tuple[str, ...]) -> list[str]:
    return [
        name
        for number, prefix in enumerate(prefixes)
        for name in files
        if name.startswith(prefix) and not name.startswith(prefixes[:number])
    ]
