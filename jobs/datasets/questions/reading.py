"""Reads questions as they stand in a file: SQuAD's JSON, or rows of a table. What is wrong is found later."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.datasets.readable import one_line
from jobs.datasets.texts.sets import LONGEST_FIELD, columns_of
from jobs.errors import BadInput

#: What a file of questions may be, by its suffix.
FORMATS = (".json", ".csv", ".tsv", ".jsonl", ".parquet")
#: Columns of rows, each with the names that it may have, in small letters.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "question": ("question",),
    "context": ("context",),
    "answer": ("answer", "answers", "answer_text"),
    "start": ("start", "answer_start"),
    "id": ("id",),
    "title": ("title", "document"),
    "impossible": ("is_impossible", "impossible"),
}
_NEEDED = ("question", "context")
_OTHERS = "save texts or a table as .csv, .tsv, .jsonl or .parquet"
#: Characters that are shown of what a file holds.
_SHOWN = 80


@dataclass(frozen=True)
class Entry:
    """A question as it stands in a file, not checked yet.

    Attributes:
        place: where it stands, for people.
        id: as it stands there; None if nothing does.
        title: of the document.
        context: the document.
        question: the question.
        answers: texts and starts, of which None is to be searched; none if the file says that there is no
            answer; None if it says nothing.
    """

    place: str
    id: object
    title: object
    context: object
    question: object
    answers: tuple[tuple[object, object], ...] | None


def entries(path: Path, name: str | None = None) -> Iterator[Entry]:
    """Yields every question of a file, told apart by its suffix.

    Args:
        path: SQuAD's JSON, or rows as `.csv`, `.tsv`, `.jsonl` or `.parquet`, UTF-8.
        name: what a person calls the file, for errors; by default its own name.

    Raises:
        BadInput: it is no such file, or has no columns `question` and `context`.
    """
    name, suffix = name or path.name, path.suffix.lower()
    if suffix not in FORMATS:
        raise BadInput(f"{name} is none of {', '.join(FORMATS)}; save the questions as one of these")
    try:
        if suffix == ".json":
            yield from _of_squad(json.loads(path.read_text(encoding="utf-8-sig"), strict=False), name)
        else:
            yield from _of_rows(path, suffix, name)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise BadInput(f"{name} cannot be read as {suffix}: {str(error) or type(error).__name__}") from error


def named_columns(names: Sequence[str]) -> dict[str, str]:
    """What each column of `COLUMNS` is called among some names; without those that are not there."""
    small = {each.strip().lower(): each for each in reversed(names)}
    found = {}
    for column, known in COLUMNS.items():
        for each in known:
            if each in small:
                found[column] = small[each]
                break
    return found


def _of_squad(content: Any, name: str) -> Iterator[Entry]:
    articles = content.get("data") if isinstance(content, dict) else content
    if not isinstance(articles, list):
        raise BadInput(
            f"{name} is no JSON of questions: it has no list 'data', as SQuAD's files have it; {_OTHERS}"
        )
    fields = [list(article) for article in articles if isinstance(article, dict)]
    if fields and not any("paragraphs" in names or named_columns(names).keys() & _NEEDED for names in fields):
        shown = one_line(", ".join(fields[0]), _SHOWN)
        raise BadInput(
            f"{name} holds no questions: its entries have the fields {shown}, "
            f"and none of question, context, or paragraphs as SQuAD's files have them; {_OTHERS}"
        )
    for number, article in enumerate(articles, start=1):
        if not isinstance(article, dict):
            raise BadInput(f"{name}, article {number} is no object")
        if "paragraphs" not in article:
            yield _of_fields(article, f"entry {number}", named_columns(list(article)), name)
            continue
        for part, paragraph in enumerate(_listed(article, "paragraphs", name, f"article {number}"), start=1):
            place = f"article {number}, paragraph {part}"
            asked = _listed(paragraph, "qas", name, place)
            for each, question in enumerate(asked, start=1):
                yield _of_question(question, article, paragraph, f"{place}, question {each}", name)


def _listed(within: Any, field: str, name: str, place: str) -> list[Any]:
    found = within.get(field) if isinstance(within, dict) else None
    if not isinstance(found, list):
        raise BadInput(f"{name}, {place} has no list {field!r}, as SQuAD's files have it")
    return found


def _of_question(question: Any, article: Any, paragraph: Any, place: str, name: str) -> Entry:
    if not isinstance(question, dict):
        raise BadInput(f"{name}, {place} is no object")
    answers = question.get("answers")
    pairs = None if answers is None else _pairs(answers)
    if question.get("is_impossible") is True:
        pairs = ()  # SQuAD 2.0 has answers that only seem right beside it
    title, context = article.get("title", ""), paragraph.get("context")
    return Entry(place, question.get("id"), title, context, question.get("question"), pairs)


def _of_rows(path: Path, suffix: str, name: str) -> Iterator[Entry]:
    names = columns_of(path)
    columns = named_columns(names)
    if missing := [column for column in _NEEDED if column not in columns]:
        raise BadInput(
            f"{name} has no column {missing[0]!r}: questions on documents have the columns question and "
            f"context, and answer and start where they have answers; its columns are {', '.join(names)}"
        )
    readers = {".jsonl": _lines, ".parquet": _parquet}
    for number, fields in enumerate(readers.get(suffix, _table)(path), start=1):
        yield _of_fields(fields, f"row {number}", columns, name)


def _of_fields(fields: Any, place: str, columns: Mapping[str, str], name: str) -> Entry:
    if not isinstance(fields, dict):
        raise BadInput(f"{name}, {place} is no object")
    found = {column: fields.get(called) for column, called in columns.items()}
    answers = _pairs(found.get("answer"), found.get("start")) if "answer" in columns else None
    if str(found.get("impossible")).strip().lower() in ("true", "1"):
        answers = ()
    return Entry(
        place,
        found.get("id"),
        found.get("title") or "",
        found.get("context"),
        found.get("question"),
        answers,
    )


def _pairs(answers: Any, start: Any = None) -> tuple[tuple[object, object], ...] | None:
    """Texts and starts, however they are written: a text, a list of objects, or an object of two lists."""
    if answers is None or answers == "":
        return () if start in (None, "") else (("", start),)
    if isinstance(answers, dict):  # {"text": [...], "answer_start": [...]}
        texts, starts = answers.get("text", []), answers.get("answer_start")
        texts, starts = list(_several(texts)), list(_several([] if starts is None else starts))
        return tuple(zip(texts, starts or [None] * len(texts), strict=True))
    if isinstance(answers, list):
        return tuple(
            (each.get("text"), each.get("answer_start", each.get("start")))
            if isinstance(each, dict)
            else (each, None)
            for each in answers
        )
    return ((answers, start),)


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _table(path: Path) -> Iterator[Any]:
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            if line.strip():
                yield json.loads(line, strict=False)


def _parquet(path: Path) -> Iterator[Any]:
    from pyarrow import parquet  # it is there: `columns_of` has read the names with it

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(1024):
            yield from batch.to_pylist()
