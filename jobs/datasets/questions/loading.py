"""A set of questions for a job: a stored one, a named one, or the file that a person gives."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.datasets.questions.checking import Wrong, checked
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.questions.reading import FORMATS, entries
from jobs.datasets.questions.sets import ABOUT, QuestionSet
from jobs.datasets.remarks import tell
from jobs.errors import BadInput

if TYPE_CHECKING:
    from jobs.context import JobContext


def question_set(name: str, context: "JobContext") -> QuestionSet:
    """A set of questions, named or one's own.

    Raises:
        BadInput: there is none of that name, or something is wrong with it.
    """
    named = QUESTION_SETS.get(name)
    folder = context.files(name, named.write if named else None)
    if (folder / ABOUT).is_file():
        return QuestionSet.read(folder)
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS]
    if len(files) != 1:
        raise BadInput(
            f"the data set {name!r} holds no questions; upload a file ({', '.join(FORMATS)}) with "
            "`triptych datasets upload NAME FILE`"
        )
    found = read(files[0], name)
    tell(name, found.remarks)
    return found


def read(path: Path, name: str | None = None, wrong: Wrong = "refuse") -> QuestionSet:
    """The questions of a person's file.

    Args:
        path: one of `FORMATS`.
        name: what a person calls it, for errors; by default its own name.
        wrong: what becomes of questions that are wrong: see `checked`.

    Raises:
        BadInput: it cannot be read, or is wrong; the text names the place.
    """
    name = name or path.name
    return checked(entries(path, name), name, wrong)
