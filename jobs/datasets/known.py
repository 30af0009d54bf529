"""What a data set holds, in words, and the named ones that a spec may mean."""

from collections.abc import Container, Mapping
from typing import Any

from jobs.datasets.corpora.named import CORPORA
from jobs.datasets.images.named import DATA_SETS
from jobs.datasets.pairs.named import PAIR_SETS
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.tables.named import TABLES
from jobs.datasets.texts.sets import TEXT_SETS
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec

WORDS = {
    "images": "a data set of images",
    "texts": "a data set of texts",
    "table": "a table with time",
    "questions": "a set of questions",
    "corpus": "a text corpus",
    "pairs": "a set of pairs",
    "pretrained": "a pretrained checkpoint",
}


def content_of(name: str) -> str | None:
    """What a named data set holds; None if none has this name."""
    sets: Mapping[str, Container[str]] = {
        "images": DATA_SETS,
        "texts": TEXT_SETS,
        "table": TABLES,
        "corpus": CORPORA,
        "pairs": PAIR_SETS,
        "questions": QUESTION_SETS,
    }
    for content, named in sets.items():
        if name in named:
            return content
    return None


def checked_content(spec: JobSpec[Any], field: str, name: str, wanted: str, content: str) -> None:
    """Refuses a data set that holds something else than the field takes.

    Raises:
        InvalidSpec: it does.
    """
    if content != wanted:
        raise InvalidSpec(
            f"{spec.kind}: field {field!r} takes {WORDS[wanted]}, and {name!r} is {WORDS[content]}; "
            "`triptych datasets list` shows what there is"
        )


def check_named(spec: JobSpec[Any], given: Container[str]) -> None:
    """Refuses a named data set that holds something else than its field takes.

    Args:
        spec: of a job that runs without a store.
        given: names for which a path was given.

    Raises:
        InvalidSpec: there is one.
    """
    for field, name, wanted in spec.named_sets():
        if name not in given and (content := content_of(name)) is not None:
            checked_content(spec, field, name, wanted, content)
