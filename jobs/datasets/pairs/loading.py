"""A set of pairs for a job: a stored one, a named one, or what a person gives."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.datasets.pairs.intake import take_pairs
from jobs.datasets.pairs.named import PAIR_SETS
from jobs.datasets.pairs.pairs import PAIRS, Pairs
from jobs.datasets.remarks import tell

if TYPE_CHECKING:
    from jobs.context import JobContext


def pairs_of(name: str, context: "JobContext") -> Pairs:
    """A set of pairs, named or one's own.

    Raises:
        BadInput: there is none of that name, or something is wrong with it.
    """
    named = PAIR_SETS.get(name)
    folder = context.files(name, named.write if named else None)
    if (folder / PAIRS).is_file():
        return Pairs.open(folder)
    # Where there is no store, a person gives the files themselves: a folder, or one file in a folder.
    pairs = take_pairs(_only(folder))
    tell(name, pairs.notes)
    return pairs


def _only(folder: Path) -> Path:
    files = list(folder.iterdir())
    return files[0] if len(files) == 1 and files[0].suffix.lower() == ".npz" else folder
