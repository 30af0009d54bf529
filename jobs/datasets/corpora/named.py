"""The named corpora, read from files that packages bring, and the corpus that a name stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.datasets.corpora.corpus import CORPUS, Corpus
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.datasets.remarks import tell
from jobs.datasets.texts.sets import FORMATS
from jobs.errors import BadInput

if TYPE_CHECKING:
    from jobs.context import JobContext


@dataclass(frozen=True)
class NamedCorpus:
    """What is known of a corpus before it is loaded.

    Attributes:
        title: what it holds.
        count: documents.
        source: where it comes from.
        write: puts its files into an empty folder.
    """

    title: str
    count: int
    source: str
    write: Callable[[Path], None]


def corpus_of(name: str, context: "JobContext") -> Corpus:
    """A corpus by name.

    Raises:
        BadInput: there is none of that name, or it cannot be loaded here.
    """
    named = CORPORA.get(name)
    folder = context.files(name, named.write if named else None)
    if (folder / CORPUS).is_file():
        return Corpus.open(folder)
    # Where there is no store, a person gives the files themselves.
    taken = context.folder / "corpora" / name
    if not (taken / CORPUS).is_file():
        taken.mkdir(parents=True, exist_ok=True)
        files = [path for path in folder.iterdir() if path.is_file()]
        only = len(files) == 1 and (files[0].suffix.lower() in FORMATS or files[0].is_symlink())
        tell(name, take_corpus(files[0] if only else folder, taken).notes)
    return Corpus.open(taken)


def _write_descriptions(folder: Path) -> None:
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise BadInput("the corpus 'descriptions' needs the package scikit-learn: pip install scikit-learn")
    take_corpus(Path(found.origin).parent / "datasets" / "descr", folder, Dividing("blank-line"))


CORPORA = {
    "descriptions": NamedCorpus(
        "paragraphs on data sets of statistics, in English",
        246,
        "the package scikit-learn (BSD)",
        _write_descriptions,
    ),
}
