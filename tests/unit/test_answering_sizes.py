"""Documents of megabytes, and answers at their very end."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("keras_hub")

from pyarrow import parquet

from jobs.datasets.questions.loading import read
from jobs.local import run_locally
from jobs.pretrained.built import tiny
from jobs.pretrained.card import Card
from jobs.pretrained.pairs import Pairs
from jobs.pretrained.spans import export_spans, load_spans
from jobs.transformer.answering.documents.examples import Examples
from jobs.transformer.answering.documents.reading import READING, Reading
from jobs.transformer.answering.spec import AnswerQuestions

READS = Reading(max_length=128, max_question=12, stride=100, max_answer=6)
#: A word that the tokenizer has one token for: 5 MB of such words are read in some 350 windows.
WORD = "x" * 149 + " "


def test_a_document_of_5_megabytes_is_read_to_its_very_end(tmp_path: Path) -> None:
    source, model = tmp_path / "encoder", tmp_path / "job/artifacts/model"
    source.mkdir()
    tiny.write(source)
    loaded = load_spans(source, seed=1)
    # A word of letters scores higher than what the tokenizer does not know.
    export_spans(loaded, source, model, Card("tiny", "none", {}, (), {}, {}, {}, 128))
    (model / READING).write_text(READS.text())
    text = WORD * (5 * 2**20 // len(WORD)) + "🙂 e\u0301 Riga"
    answer = {"text": "Riga", "answer_start": len(text) - 4}
    qas = [{"id": "a", "question": "Where?", "answers": [answer]}]
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"data": [{"title": "", "paragraphs": [{"context": text, "qas": qas}]}]}))

    examples = Examples.of(read(path), np.array([0]), Pairs(source, READS.max_length), READS.layout)
    rows = np.flatnonzero(examples.begins)
    assert len(examples.rows) > 300
    assert rows[-1] == len(examples.rows) - 1
    pieces = examples.documents[0]
    for row in rows:
        first, last = (
            int(places[row]) - int(examples.rows.firsts[row]) + int(examples.rows.begins[row])
            for places in (examples.begins, examples.ends)
        )
        assert text[pieces.begins[first] : pieces.ends[last]] == "Riga"

    asked = AnswerQuestions(model="job", dataset="long", n_best=50, precision="float32")
    assert run_locally(asked, tmp_path / "answers", {"long": path}).answered == 1
    table = parquet.read_table(tmp_path / "answers/artifacts/answers.parquet").to_pydict()
    found = json.loads(table["n_best"][0])
    assert len(found) == 50
    for each in found:
        assert text[each["start"] : each["end"]] == each["answer"] == each["answer"].strip() != ""
    assert table["answer"][0] == text[table["start"][0] : table["end"][0]]
