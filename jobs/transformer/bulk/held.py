"""Models that stay in the memory of a process from one job to the next, by what they were read from."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jobs.context import JobContext
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.sources import MODEL

_T = TypeVar("_T")


def held(
    what: str,
    model: str | None,
    find: Callable[[], Path],
    context: JobContext,
    read: Callable[[Path], _T],
    more: tuple[str, ...] = (),
) -> _T:
    """What `read` makes of a checkpoint, read once for all jobs of a process that ask for the same.

    Args:
        what: tells all that it depends on besides the checkpoint.
        model: the job that has left the checkpoint, if one has.
        find: the folder of the checkpoint.
        context: keeps it in memory.
        read: reads the folder.
        more: files in the folder that are looked at besides those of every checkpoint.
    """
    if model is not None:  # its files need not be fetched to know them
        names = (f"{MODEL}/{name}" for name in (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, *more))
        digest = context.digest_of(model, *names)

        def fetch() -> tuple[_T, int]:
            folder = find()
            return read(folder), _size(folder)

        return context.in_memory(f"{what} {digest}", fetch)
    folder = find()
    return context.in_memory(f"{what} {_digest(folder)}", lambda: (read(folder), _size(folder)))


def _digest(folder: Path) -> str:
    """Changes with the files of a folder, which is large: they are not read for it."""
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return f"{folder.resolve()} {[(name, about.st_size, about.st_mtime_ns) for name, about in files]}"


def _size(folder: Path) -> int:
    """Bytes that a model takes in memory: its weights as Keras has them, and as its engine has them."""
    return 2 * (folder / WEIGHTS).stat().st_size
