"""What is known of a data set without reading it."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.datasets.corpora.corpus import Corpus
from jobs.datasets.corpora.named import CORPORA
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.named import DATA_SETS
from jobs.datasets.pairs.named import PAIR_SETS
from jobs.datasets.pairs.pairs import Pairs
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.questions.sets import QuestionSet
from jobs.datasets.tables.intake import span_of
from jobs.datasets.tables.named import TABLES
from jobs.datasets.tables.table import Table
from jobs.datasets.texts.sets import TEXT_SETS

#: Names that come with Triptych, of what is listed.
NAMED = (*DATA_SETS, *TEXT_SETS, *TABLES, *CORPORA, *QUESTION_SETS, *PAIR_SETS)


@dataclass(frozen=True)
class DataSetInfo:
    """What a name stands for now."""

    name: str
    digest: str  #: SHA-256 of the content
    count: int  #: images, rows, documents, questions, pairs, or files
    shape: tuple[int, ...]  #: (height, width, channels) of images, or of the targets of pairs
    class_names: tuple[str, ...]
    title: str = ""
    #: Or "texts", "table": one with time, "corpus": running text, "questions": on documents, "pairs": of
    #: images, or "pretrained": a checkpoint.
    content: str = "images"
    columns: tuple[str, ...] = ()  #: of texts, or of numbers in a table
    notes: tuple[str, ...] = ()  #: what was left out, guessed or changed when it was taken in
    series: int = 0  #: in a table
    step: str = ""  #: the time between the rows of a table, such as `1h`
    span: tuple[str, ...] = ()  #: the first time in a table and the last one
    documents: int = 0  #: that questions are on


#: What earlier versions do not know.
_NEW = ("notes", "series", "step", "span", "documents")


def kept(info: DataSetInfo) -> dict[str, Any]:
    """As it is kept; without what a worker of the version before does not know, where there is none of it."""
    return {key: value for key, value in asdict(info).items() if key not in _NEW or value}


def info_of(name: str, images: ImageSet) -> DataSetInfo:
    """Of images."""
    return DataSetInfo(name, images.digest, len(images), images.shape, images.class_names, notes=images.notes)


def info_of_table(name: str, digest: str, table: Table) -> DataSetInfo:
    """Of a table with time."""
    about = DataSetInfo(name, digest, len(table), (), (), "", "table", table.columns, table.remarks)
    return replace(about, series=len(table.ids), step=str(table.step), span=span_of(table))


def info_of_questions(name: str, digest: str, questions: QuestionSet) -> DataSetInfo:
    """Of questions on documents."""
    about = DataSetInfo(name, digest, len(questions), (), (), "", "questions", (), questions.remarks)
    return replace(about, documents=len(questions.documents))


def info_of_pairs(name: str, digest: str, pairs: Pairs) -> DataSetInfo:
    """Of pairs of images."""
    return DataSetInfo(name, digest, len(pairs), pairs.target.shape, (), "", "pairs", (), pairs.notes)


def info_of_corpus(name: str, digest: str, corpus: Corpus) -> DataSetInfo:
    """Of running text."""
    size = f"{corpus.characters} characters"
    return DataSetInfo(name, digest, len(corpus), (), (), "", "corpus", (), (size, *corpus.notes))


def info_of_named(name: str) -> DataSetInfo | None:
    """Of a data set that comes with Triptych, without a digest; None if there is none of that name."""
    if (images := DATA_SETS.get(name)) is not None:
        return DataSetInfo(name, "", images.count, images.shape, images.classes, images.title)
    if (texts := TEXT_SETS.get(name)) is not None:
        return DataSetInfo(name, "", texts.count, (), texts.classes, texts.title, "texts", texts.columns)
    if (table := TABLES.get(name)) is not None:
        about = DataSetInfo(name, "", table.count, (), (), table.title, "table", table.columns)
        return replace(about, series=1, step=table.step, span=table.span)
    if (corpus := CORPORA.get(name)) is not None:
        return DataSetInfo(name, "", corpus.count, (), (), corpus.title, "corpus")
    if (asked := QUESTION_SETS.get(name)) is not None:
        about = DataSetInfo(name, "", asked.count, (), (), asked.title, "questions")
        return replace(about, documents=asked.documents)
    if (pairs := PAIR_SETS.get(name)) is not None:
        return DataSetInfo(name, "", pairs.count, pairs.shape, (), pairs.title, "pairs")
    return None
