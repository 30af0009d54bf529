"""Takes in text files, folders of them, or a column of a file of rows, as the documents of a corpus."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.datasets.corpora.corpus import BLOCK, Corpus, write_about
from jobs.datasets.corpora.dividing import DOCUMENTS, Documented, Documents, divide
from jobs.datasets.readable import REPLACEMENT
from jobs.datasets.texts.dialect import encoding_of
from jobs.datasets.texts.intake import Writing, take
from jobs.datasets.texts.rows import rows
from jobs.datasets.texts.sets import FORMATS, columns_of
from jobs.errors import BadInput

#: What a file of running text is called.
TEXTS = (".txt", ".text", ".md", ".rst")
#: The column that holds the text, unless another one is named.
_USUAL = "text"
_WORDS = {
    "file": "each file is a document",
    "blank-line": "documents are told apart by blank lines",
    "line": "each line is a document",
    "row": "each row is a document",
}


@dataclass(frozen=True)
class Dividing:
    """What a person says of a corpus; None where it is what is usual, which the notes say.

    Attributes:
        documents: what tells documents apart; `file` for text, `row` for a file of rows.
        column: of a file of rows, which holds the text.
    """

    documents: Documents | None = None
    column: str | None = None


_USUAL_DIVIDING, _USUAL_WRITING = Dividing(), Writing()


def take_corpus(
    path: Path, folder: Path, dividing: Dividing = _USUAL_DIVIDING, writing: Writing = _USUAL_WRITING
) -> Corpus:
    """Puts a corpus into an empty folder.

    Args:
        path: a file of text, a folder of such files, or a file of rows (`.csv`, `.tsv`, `.jsonl`,
            `.parquet`).
        folder: where it goes.
        dividing: what tells its documents apart.
        writing: the encoding of text; for a file of rows how it is written.

    Raises:
        BadInput: there is no text, or it cannot be read; the text names the file.
    """
    if dividing.documents not in (None, *DOCUMENTS):
        raise BadInput(f"documents is one of {', '.join(DOCUMENTS)}; received {dividing.documents!r}")
    into = Documented(folder)
    try:
        if path.suffix.lower() in FORMATS and path.is_file():
            by, notes = _rows(path, dividing, writing, into)
        else:
            by, notes = _texts(path, dividing, writing, into)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error
    finally:
        into.close()
    if not into.count:
        raise BadInput(f"{path} has no text; a corpus needs at least one document that is not empty")
    if into.empty:
        notes.append(f"{into.empty} documents were empty and left out")
    return write_about(folder, into.characters, by, (f"{into.count} documents: {_WORDS[by]}", *notes))


def _texts(path: Path, dividing: Dividing, writing: Writing, into: Documented) -> tuple[Documents, list[str]]:
    by = dividing.documents or "file"
    if by == "row" or dividing.column is not None:
        raise BadInput(
            f"{path.name} is running text and has no rows: documents are told apart by file, blank-line or "
            f"line; a file of rows is one of {', '.join(FORMATS)}"
        )
    if writing.delimiter is not None or writing.quoting is not None:
        raise BadInput("delimiter and quoting are of files of rows, not of running text")
    files, others = _files(path)
    encoding, said = writing.checked().encoding, Counter[str]()
    for file in files:
        divide(_blocks(file, encoding or encoding_of(file), said), by, into)
    notes = [f"{count} files {what}" for what, count in sorted(said.items())]
    if others:
        notes.append(f"{others} files that are not {', '.join(TEXTS)} were left out")
    return by, notes


def _files(path: Path) -> tuple[Sequence[Path], int]:
    """The files of text in the order of their names, and how many others there are."""
    if not path.exists():
        raise BadInput(f"there is no {path}")
    if not path.is_dir():
        return [path], 0
    found = sorted(
        (each for each in path.rglob("*") if each.is_file()), key=lambda each: each.relative_to(path).parts
    )
    texts = [each for each in found if each.suffix.lower() in TEXTS]
    if not texts:
        raise BadInput(f"{path} has no file of text ({', '.join(TEXTS)})")
    return texts, len(found) - len(texts)


def _blocks(path: Path, encoding: str, said: Counter[str]) -> Iterator[str]:
    """The text of a file, with line feeds at the ends of lines; what was changed is counted."""
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)(errors="replace"), translate=True
    )
    lost = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            text = decoder.decode(block)
            lost += text.count(REPLACEMENT) - _own(block, encoding)
            yield text
    text = decoder.decode(b"", final=True)
    lost += text.count(REPLACEMENT)
    yield text
    if lost > 0:
        said[f"have bytes that are not {encoding.removesuffix('-sig').upper()}: U+FFFD stands for them"] += 1
    if decoder.newlines not in (None, "\n"):
        said["had other ends of lines than line feeds, which they have now"] += 1
    if encoding not in ("utf-8", "utf-8-sig"):
        said[f"were {encoding.upper()} and are kept as UTF-8"] += 1


def _own(block: bytes, encoding: str) -> int:
    """How often U+FFFD is what a block has itself."""
    return block.count(REPLACEMENT.encode()) if encoding.startswith("utf-8") else 0


def _rows(path: Path, dividing: Dividing, writing: Writing, into: Documented) -> tuple[Documents, list[str]]:
    if dividing.documents not in (None, "row"):
        raise BadInput(
            f"{path.name} is a file of rows, each of which is a document; received {dividing.documents!r}"
        )
    with TemporaryDirectory(prefix="triptych-") as work:
        taken = take(path, Path(work), writing)
        (file,) = Path(work).iterdir()
        column = dividing.column or _column(columns_of(file), path.name)
        remarks = Counter[str]()
        for row in rows(file, column, path.name):
            remarks[row.remark] += bool(row.remark)
            into.add(row.text or "")
            into.end()
    said = [f"{count} rows are {remark}" for remark, count in sorted(remarks.items()) if count]
    return "row", [f"the text is in column {column!r}", *taken.notes, *said]


def _column(columns: Sequence[str], name: str) -> str:
    if _USUAL in columns:
        return _USUAL
    if len(columns) == 1:
        return columns[0]
    raise BadInput(
        f"{name} has the columns {', '.join(columns)}, and none is called 'text': say which holds the text "
        "with --column"
    )
