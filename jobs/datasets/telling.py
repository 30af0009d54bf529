"""Whether a file holds questions on documents, told by its name and its columns; and which are not taken."""

from pathlib import Path

from jobs.datasets.corpora.intake import TEXTS
from jobs.datasets.images.listing import ENDINGS
from jobs.datasets.questions.reading import COLUMNS, named_columns
from jobs.datasets.tables.telling import Content
from jobs.datasets.texts.sets import FORMATS, columns_of
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


def check_taken(path: Path) -> None:
    """Refuses a file that is no `.npz` of images, once it is known to hold no rows and no questions.

    Raises:
        BadInput: it is one; the text says how such a file is taken, or which are.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix == ".npz":
        return
    if suffix in TEXTS:
        raise BadInput(f"{path.name} is running text: upload it as a corpus (--as corpus)")
    if suffix in ENDINGS:
        raise BadInput(f"{path.name} is a single picture: put your images into a folder, and upload that")
    raise BadInput(
        f"{path.name} is none of the files that are taken: rows ({', '.join(FORMATS)}), questions (.json), "
        f"arrays of images (.npz), and with --as corpus running text ({', '.join(TEXTS)}); all else is taken "
        "as a folder, so unpack an archive"
    )


def _has_columns(path: Path) -> bool:
    try:
        names = columns_of(path)
    except BadInput:
        return False  # whose reader says what is wrong, in its own words
    found = named_columns(names)
    only = {name.strip().lower() for name in names} <= _KNOWN
    return {"question", "context"} <= found.keys() and ("answer" in found or only)
