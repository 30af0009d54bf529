"""The named sets of questions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.datasets.questions.sets import Document, Question, QuestionSet

NAMES = ("Anna", "Boris", "Clara", "David", "Emil", "Farid", "Greta", "Hanna", "Ivan", "Julia")
TOWNS = ("Riga", "Paris", "Cairo", "Lima", "Oslo", "Quito", "Delhi", "Bern", "Accra", "Hanoi")
WORK = ("a baker", "a nurse", "a pilot", "a singer", "a miner", "a judge", "a farmer", "a tailor")
_TEXT = (
    "{name} was born in {year}. For many years the family has lived in {town}, in a small house near the "
    "river. {name} works as {work} and likes to read."
)
_ASKED = {
    "town": "Where does {name} live?",
    "work": "What does {name} work as?",
    "year": "When was {name} born?",
}


@dataclass(frozen=True)
class NamedQuestions:
    """What is known of a set of questions before it is loaded.

    Attributes:
        title: what it holds.
        count: questions.
        documents: that they are on.
        source: where it comes from.
        load: makes or reads it.
    """

    title: str
    count: int
    documents: int
    source: str
    load: Callable[[], QuestionSet]

    def write(self, folder: Path) -> None:
        """Puts its files into an empty folder."""
        self.load().write(folder)


def _residents() -> QuestionSet:
    documents: list[Document] = []
    questions: list[Question] = []
    for number in range(100):
        said = {
            "name": NAMES[number % 10],
            "town": TOWNS[(number * 3 + number // 10) % 10],
            "work": WORK[number * 5 % 8],
            "year": str(1920 + number * 37 % 90),
        }
        text = _TEXT.format(**said)
        documents.append(Document(f"{said['name']} {number}", text))
        for what, asked in _ASKED.items():
            answer = said[what]
            begin = text.index(answer)
            questions.append(Question(f"{number}-{what}", number, asked.format(**said), ((answer, begin),)))
    return QuestionSet(tuple(documents), tuple(questions))


QUESTION_SETS = {
    "residents": NamedQuestions(
        "made-up people: where they live, what they do, when they were born; for trying things",
        300,
        100,
        "written by Triptych",
        _residents,
    )
}
