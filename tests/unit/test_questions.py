"""Sets of questions: read from every format, checked with the place of each fault, kept and read again."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.datasets.known import content_of
from jobs.datasets.questions.loading import question_set, read
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.datasets.questions.sets import ASKED, QuestionSet
from jobs.datasets.telling import holds_questions
from jobs.errors import BadInput
from jobs.local import LocalContext

CONTEXT = "Bärbel lives in Riga. 😀 Emil lives in Rom\u0301a, they say."


def squad(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    paragraph = {"context": context, "qas": list(questions)}
    return {"version": "2.0", "data": [{"title": "People", "paragraphs": [paragraph]}]}


def asked(name: str, text: str, start: int, **more: Any) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": name, "question": f"Where, {name}?", "answers": answers, **more}


def written(folder: Path, content: Any, name: str = "people.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_squad_is_read_with_and_without_answers(tmp_path: Path) -> None:
    impossible = {"id": "b", "question": "Who?", "answers": [], "is_impossible": True}
    seeming = asked("c", "Riga", 16, is_impossible=True)
    unlabelled = {"id": "d", "question": "Why?"}
    path = written(tmp_path, squad(asked("a", "Riga", 16), impossible, seeming, unlabelled))
    found = read(path)
    assert [question.answers for question in found.questions] == [(("Riga", 16),), (), (), None]
    assert [question.id for question in found.questions] == ["a", "b", "c", "d"]
    assert [document.text for document in found.documents] == [CONTEXT]
    assert set(found.remarks) == {
        "2 questions are not answered by their context",
        "1 questions have no answer given",
    }


ROWS = {
    "rows.csv": 'question,context,answer,start\nWhere?,"Emil, in Riga",Riga,9\nWho?,"Emil, in Riga",Emil,\n',
    "rows.tsv": "id\tquestion\tcontext\tanswer\n"
    "1\tWhere?\tEmil, in Riga\tRiga\n2\tWho?\tEmil, in Riga\tEmil\n",
    "rows.jsonl": '{"question": "Where?", "context": "Emil, in Riga", '
    '"answers": {"text": ["Riga"], "answer_start": [9]}}\n'
    '{"question": "Who?", "context": "Emil, in Riga", "answers": [{"text": "Emil", "start": 0}]}\n',
}


@pytest.mark.parametrize("name", [*ROWS, "rows.parquet"])
def test_rows_of_every_format_are_read_alike(tmp_path: Path, name: str) -> None:
    if name.endswith(".parquet"):
        parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
        answers = [{"text": ["Riga"], "answer_start": [9]}, {"text": ["Emil"], "answer_start": [0]}]
        columns = {"question": ["Where?", "Who?"], "context": ["Emil, in Riga"] * 2, "answers": answers}
        parquet.write_table(arrow.table(columns), tmp_path / name)
        path = tmp_path / name
    else:
        path = written(tmp_path, ROWS[name], name)
    found = read(path)
    assert [(question.text, question.answers) for question in found.questions] == [
        ("Where?", (("Riga", 9),)),
        ("Who?", (("Emil", 0),)),
    ]
    assert len(found.documents) == 1
    assert [question.id for question in found.questions] == ["1", "2"]


FAULTS = [
    (asked("a", "Riga", 15), r"question 1 \(id 'a'\): the answer 'Riga' is said to begin at character 15"),
    (asked("a", "Riga", -4), r"said to begin at character -4"),
    (asked("a", "", 3), "its answer is empty"),
    ({"id": "a", "question": " ", "answers": []}, "the question is empty"),
    (
        {"id": "a", "question": "Who?", "answers": [{"text": "lives"}]},
        "the answer 'lives' is more than once, and no start says which is meant in its context",
    ),
    (
        {"id": "a", "question": "Who?", "answers": [{"text": "Oslo"}]},
        "the answer 'Oslo' is not in its context",
    ),
]


@pytest.mark.parametrize(("question", "text"), FAULTS)
def test_a_wrong_question_is_named_with_its_place_or_counted(
    tmp_path: Path, question: dict[str, Any], text: str
) -> None:
    path = written(tmp_path, squad(question, asked("z", "Riga", 16)))
    with pytest.raises(BadInput, match=text):
        read(path)
    with pytest.raises(BadInput, match=r"people\.json: article 1, paragraph 1, question 1"):
        read(path)
    found = read(path, wrong="skip")
    assert [each.id for each in found.questions] == ["z"]
    assert found.remarks[0].startswith("1 questions left out: ")


def test_an_id_that_is_there_twice_and_an_empty_context_are_named(tmp_path: Path) -> None:
    twice = written(tmp_path, squad(asked("a", "Riga", 16), asked("a", "Emil", 24)))
    with pytest.raises(BadInput, match=r"question 2 .*the id 'a' is another question's already"):
        read(twice)
    empty = written(tmp_path, squad(asked("a", "Riga", 16), context=" "), "empty.json")
    with pytest.raises(BadInput, match=r"empty\.json: .*the context is empty"):
        read(empty)
    with pytest.raises(BadInput, match=r"empty\.json has no question that is right: .*the context is empty"):
        read(empty, wrong="skip")


def test_all_faults_are_counted_and_the_first_three_named(tmp_path: Path) -> None:
    path = written(tmp_path, squad(*(asked(f"q{n}", "Riga", n) for n in range(5))))
    with pytest.raises(BadInput, match=r"'q2'.*; and 2 more\. Mend the file, or leave such questions out"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.json", "{", r"a\.json cannot be read as \.json"),
        ("a.json", '{"data": 3}', "has no list 'data'.*; save texts or a table as .csv"),
        (
            "a.json",
            '[{"text": "a b", "label": 1}]',
            "a.json holds no questions: .* fields text, label, and none",
        ),
        ("a.json", '{"data": [{"paragraphs": [{"context": "x"}]}]}', "paragraph 1 has no list 'qas'"),
        ("a.csv", "question,answer\nWho?,Emil\n", "has no column 'context'"),
        ("a.txt", "", "is none of .json, .csv, .tsv, .jsonl, .parquet"),
    ],
)
def test_what_is_no_file_of_questions_is_refused(tmp_path: Path, name: str, content: str, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        read(written(tmp_path, content, name))


def test_a_set_is_kept_and_read_again_to_the_last_character(tmp_path: Path) -> None:
    context = "one\u2028two\x85 'x' \"y\" \\ 😀 e\u0301\r\n end\ud83d"
    found = read(written(tmp_path, squad(asked("a", "e\u0301", context.index("e\u0301")), context=context)))
    (tmp_path / "kept").mkdir()
    found.write(tmp_path / "kept")
    again = QuestionSet.read(tmp_path / "kept")
    assert again == found
    assert again.digest == found.digest
    assert "1 texts have U+FFFD for half a character" in found.remarks
    lines = (tmp_path / "kept" / ASKED).read_text().splitlines()
    (tmp_path / "kept" / ASKED).write_text("\n".join(lines[1:]))
    with pytest.raises(BadInput, match="holds no set of questions: it is not whole; upload it again"):
        QuestionSet.read(tmp_path / "kept")


@pytest.mark.parametrize(
    ("name", "head", "is_so"),
    [
        ("a.json", "", True),
        ("a.csv", "question,context,answer,start,label", True),
        ("a.csv", "id,Question,Context", True),
        ("a.csv", "question,context,label", False),
        ("a.csv", "text,label", False),
        ("a.jsonl", '{"context": "x", "question": "y"}', True),
    ],
)
def test_a_file_is_taken_for_questions_by_its_content(
    tmp_path: Path, name: str, head: str, is_so: bool
) -> None:
    assert holds_questions(written(tmp_path, head + "\n", name), None, False) == is_so
    if name != "a.json":
        assert not holds_questions(tmp_path / name, "texts", False)
        assert holds_questions(tmp_path / name, "questions", False)
        assert holds_questions(tmp_path / name, None, True)
    with pytest.raises(BadInput, match="wrong answers are of questions"):
        holds_questions(tmp_path / name, "texts", True)


def test_the_named_sets_are_as_they_are_said_to_be(tmp_path: Path) -> None:
    with LocalContext(tmp_path) as context:
        for name, known in QUESTION_SETS.items():
            found = question_set(name, context)
            assert (len(found), len(found.documents)) == (known.count, known.documents)
            assert content_of(name) == "questions"
            for question in found.questions:
                text = found.documents[question.document].text
                assert question.answers
                assert all(text[at : at + len(answer)] == answer for answer, at in question.answers)


def test_a_file_is_read_where_there_is_no_store(tmp_path: Path) -> None:
    path = written(tmp_path, squad(asked("a", "Riga", 16)))
    (tmp_path / "empty").mkdir()
    data = {"own": path, "rows": written(tmp_path, ROWS["rows.csv"], "r.csv"), "none": tmp_path / "empty"}
    with LocalContext(tmp_path / "job", data) as context:
        assert len(question_set("own", context)) == 1
        assert len(question_set("rows", context)) == 2
        with pytest.raises(BadInput, match="'none' holds no questions"):
            question_set("none", context)
