"""Sets of questions: uploaded, listed, pinned, refused where something else is wanted."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs import AnswerQuestions, FineTune, TrainAnswering
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.questions.sets import QuestionSet
from jobs.errors import BadInput, InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.datasets import DataSets
from scheduler.inputs import pinned
from worker.datasets import DataSetCache


@pytest.fixture
def manuals(tmp_path: Path) -> Path:
    """Three questions on two documents, one of which has a wrong answer."""
    path = tmp_path / "manuals.csv"
    rows = [
        "question;context;answer;start",
        "Who?;Anna sings;Anna;0",
        "What?;Anna sings;sings;4",
        "Who?;Bo;;",
    ]
    path.write_text("\n".join(rows))
    return path


def test_questions_are_checked_listed_and_pinned(
    sets: DataSets, store: ArtifactStore, manuals: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"manuals\.csv: row 2: the answer 'sings' is said to begin at"):
        sets.upload("manuals", manuals, content="questions")
    info = sets.upload("manuals", manuals, wrong_answers="skip")
    assert (info.content, info.count, info.documents) == ("questions", 2, 2)
    assert "1 questions left out: the answer is not where it is said to be" in info.notes
    assert "1 questions are not answered by their context" in info.notes
    assert sets.get("manuals") == info
    spec = AnswerQuestions(model="job", dataset="manuals")
    assert pinned(spec, sets)[1] == {"manuals": info.digest}
    folder = DataSetCache(store, tmp_path / "cache").files("manuals", {"manuals": info.digest}, None)
    assert len(QuestionSet.read(folder)) == 2


def test_the_command_line_uploads_questions_and_lists_them(
    sets: DataSets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.client.Client", lambda: SimpleNamespace(datasets=sets))
    path = tmp_path / "squad.json"
    question = {"id": "a", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}
    content = {"data": [{"title": "x", "paragraphs": [{"context": "Anna sings", "qas": [question]}]}]}
    path.write_text(json.dumps(content))
    result = CliRunner().invoke(app, ["datasets", "upload", "squad", str(path)])
    assert "squad: 1 questions on 1 documents, " in result.stdout
    rows = tmp_path / "rows.csv"
    rows.write_text("question,context,answer\nWho?,Anna sings,Anna\n")
    result = CliRunner().invoke(app, ["datasets", "upload", "rows", str(rows)])
    assert "rows: 1 questions on 1 documents, " in result.stdout
    assert "taken for questions by its columns" in result.stdout
    result = CliRunner().invoke(app, ["datasets", "upload", "texts", str(rows), "--as", "texts"])
    assert "texts: 1 rows with the columns question, context, answer" in result.stdout
    listed = CliRunner().invoke(app, ["datasets", "list"], env={"COLUMNS": "250"}).stdout
    assert "on 1 documents" in listed
    for name in QUESTION_SETS:
        assert name in listed


def test_what_holds_something_else_is_refused(sets: DataSets) -> None:
    with pytest.raises(InvalidSpec, match="takes a set of questions, and 'tweets' is a data set of texts"):
        pinned(TrainAnswering(dataset="tweets"), sets)
    with pytest.raises(InvalidSpec, match="takes a data set of texts, and 'residents' is a set of questions"):
        pinned(FineTune(dataset="residents"), sets)
    with pytest.raises(InvalidSpec, match="comes with Triptych"):
        sets.upload("residents", Path("none.json"))
