"""Whether a file holds questions on documents, told by its name and its columns."""

from pathlib import Path

from jobs.datasets.questions.reading import COLUMNS, named_columns
from jobs.datasets.tables.telling import Content
from jobs.datasets.texts.sets import columns_of
from jobs.errors import BadInput

_KNOWN = {name for names in COLUMNS.values() for name in names}


def holds_questions(path: Path, content: Content | None, wrong_answers: bool) -> bool:
    """Whether a file is to be taken for questions on documents.

    It is if a person says so, if it is JSON, or if it has the columns question and context, and either one
    of answers or none that questions do not have.

    Args:
        path: a file of rows, or JSON.
        content: what a person says that it holds.
        wrong_answers: whether it was said what becomes of wrong answers.

    Raises:
        BadInput: it is JSON, or what it holds is said in two ways that do not go together.
    """
    if wrong_answers and content not in (None, "questions"):
        raise BadInput(f"wrong answers are of questions, and the file is to be taken for {content}")
    if content == "questions" or wrong_answers:
        return True
    if path.suffix.lower() == ".json":
        if content is not None:
            raise BadInput(f"{path.name} is none of .csv, .tsv, .jsonl, .parquet; save it as one of these")
        return True
    return content is None and _has_columns(path)


def _has_columns(path: Path) -> bool:
    try:
        names = columns_of(path)
    except BadInput:
        return False  # whose reader says what is wrong, in its own words
    found = named_columns(names)
    only = {name.strip().lower() for name in names} <= _KNOWN
    return {"question", "context"} <= found.keys() and ("answer" in found or only)
