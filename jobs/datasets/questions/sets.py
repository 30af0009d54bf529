"""Questions on documents, in memory, and how they are kept in a folder."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from jobs.errors import BadInput

#: The files of a stored set.
ABOUT, DOCUMENTS, ASKED = "questions.json", "documents.jsonl", "asked.jsonl"


@dataclass(frozen=True)
class Document:
    """A text that is asked about.

    Attributes:
        title: what it is called; empty if nobody says.
        text: all of it.
    """

    title: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question on one document.

    Attributes:
        id: its own in the set.
        document: number of the document.
        text: the question.
        answers: each that is right, with its first character in the document; none if the document does not
            answer it; None if nobody says.
    """

    id: str
    document: int
    text: str
    answers: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True)
class QuestionSet:
    """Documents, and questions on them.

    Attributes:
        documents: each text once.
        questions: in the order of the file.
        remarks: what was left out, taken for something or changed, in numbers.
    """

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]
    remarks: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Questions."""
        return len(self.questions)

    @property
    def digest(self) -> str:
        """SHA-256 of documents and questions, as hexadecimal digits."""
        digest = sha256()
        for line in (*_lines(self.documents), *_lines(self.questions)):
            digest.update(line.encode())
        return digest.hexdigest()

    def write(self, folder: Path) -> None:
        """Writes the set into a folder, as `read` takes it."""
        counts = {"questions": len(self.questions), "documents": len(self.documents)}
        for name, items in ((DOCUMENTS, self.documents), (ASKED, self.questions)):
            with (folder / name).open("w", encoding="utf-8", newline="") as file:
                file.writelines(_lines(items))
        about = json.dumps({**counts, "remarks": self.remarks}, indent=2, ensure_ascii=False)
        (folder / ABOUT).write_text(about, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The set in a folder.

        Raises:
            BadInput: the folder holds none, or a part of one.
        """
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            documents = tuple(Document(**each) for each in _objects(folder / DOCUMENTS))
            questions = tuple(_question(each) for each in _objects(folder / ASKED))
            if (len(documents), len(questions)) != (about["documents"], about["questions"]):
                raise ValueError("it is not whole")
            return cls(documents, questions, tuple(about["remarks"]))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise BadInput(f"{folder.name} holds no set of questions: {error}; upload it again") from error


def _lines(items: Iterable[Document | Question]) -> Iterator[str]:
    for item in items:
        yield json.dumps(asdict(item), ensure_ascii=False) + "\n"


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def _question(fields: dict[str, Any]) -> Question:
    answers = fields.pop("answers")
    pairs = None if answers is None else tuple((str(text), int(start)) for text, start in answers)
    return Question(answers=pairs, **fields)
