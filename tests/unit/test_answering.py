"""Question answering: windows, spans and offsets beside plain loops; families; training; odd documents."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import csv, parquet
from safetensors.numpy import load_file, save_file

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import AnswerQuestions, EvaluateAnswering, TrainAnswering
from jobs.datasets.questions.loading import read
from jobs.datasets.questions.named import QUESTION_SETS
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.pretrained.built import tiny
from jobs.pretrained.card import Card
from jobs.pretrained.models import inputs
from jobs.pretrained.pairs import Pairs
from jobs.pretrained.spans import export_spans, load_spans
from jobs.transformer.answering import evaluate
from jobs.transformer.answering.asking import asked
from jobs.transformer.answering.documents.examples import Examples
from jobs.transformer.answering.documents.reading import READING, Reading
from jobs.transformer.answering.documents.splitting import drawn, split
from jobs.transformer.answering.documents.windows import Layout
from jobs.transformer.answering.learning import SpanTuning, data_of, loss_of
from jobs.transformer.answering.scoring.measures import best
from jobs.transformer.answering.scoring.scores import figures_of
from jobs.transformer.answering.spec import SMALLEST
from jobs.transformer.bulk import shards as bulk
from jobs.transformer.bulk.engine import Choice, spanning
from jobs.transformer.encoder.forward import span_logits_of
from tests.unit.test_transformer_export import CONFIGS, _shapes

Contexts = Callable[..., type[LocalContext]]
READS = Reading(max_length=40, max_question=12, stride=10, max_answer=6)
CARD = Card("tiny", "none", {}, (), {}, {}, {}, 40)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of jobs, in which `trained` left a model of random weights, and `encoder` lies beside."""
    home = tmp_path_factory.mktemp("home")
    (home / "encoder").mkdir()
    tiny.write(home / "encoder")
    loaded = load_spans(home / "encoder", seed=1)
    loaded.head.kernel.assign(loaded.head.kernel * 50)  # scores that lie apart
    model = home / "trained/artifacts/model"
    export_spans(loaded, home / "encoder", model, CARD)
    (model / READING).write_text(READS.text())
    return home


def spec(**fields: Any) -> AnswerQuestions:
    return AnswerQuestions.model_validate(
        {"model": "trained", "batch_size": 4, "precision": "float32"} | fields
    )


def made(questions: int, documents: int) -> dict[str, Any]:
    """Documents of some windows, in SQuAD's format, and questions on them in a random order of words."""
    draws = np.random.default_rng(7)
    words = ["river", "Riga", "1950", "über", "and", "the", "baker's", "(sic)", "a", "Zoë", "9", "e\u0301t"]
    paragraphs = []
    for number in range(documents):
        text = " ".join(draws.choice(words, 6 + 5 * number))
        qas = [
            {"id": f"{number}-{each}", "question": " ".join(draws.choice(words, 1 + each % 6)) + "?"}
            for each in range(questions // documents)
        ]
        paragraphs.append({"context": text, "qas": qas})
    return {"data": [{"title": "made", "paragraphs": paragraphs}]}


def table_of(folder: Path, suffix: str = "parquet") -> dict[str, list[Any]]:
    path = folder / f"artifacts/answers.{suffix}"
    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    found = parquet.read_table(path) if suffix == "parquet" else csv.read_csv(path, convert_options=options)
    return dict(found.to_pydict())


def test_answers_are_those_of_plain_loops_over_all_windows_and_spans(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    path.write_text(json.dumps(made(200, 10)), encoding="utf-8")
    run_locally(spec(dataset="made", n_best=4), home / "loops", {"made": path})
    table = table_of(home / "loops")

    data = read(path)
    loaded = load_spans(home / "trained/artifacts/model")
    tokenizer = Pairs(home / "encoder", 40).tokenizer.hugging_face
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert len(data) == 200
    asked_of: list[tuple[list[int], list[tuple[int, int]], list[tuple[int, int]]]] = []
    rows: dict[tuple[int, int], list[int]] = {}
    for number, question in enumerate(data.questions):
        context = data.documents[question.document].text
        words = tokenizer(question.text, add_special_tokens=False)["input_ids"][:12]
        tokens = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
        ids, windows, begin = tokens["input_ids"], [], 0
        while True:
            windows.append((begin, min(begin + 25, len(ids))))
            if windows[-1][1] == len(ids):
                break
            begin += 10
        for window, (a, b) in enumerate(windows):
            rows[number, window] = [cls, *words, sep, *ids[a:b], sep]
        asked_of.append((words, windows, tokens["offset_mapping"]))
    logits = {}
    for length in {len(row) for row in rows.values()}:  # one call for each, none of them padded
        names = [name for name, row in rows.items() if len(row) == length]
        given = inputs(
            "bert", tf.constant([rows[name] for name in names]), tf.ones((len(names), length), tf.int32)
        )
        seconds = np.array([[len(asked_of[number][0]) + 2] for number, _ in names])
        given["segment_ids"] = tf.constant((np.arange(length) >= seconds).astype(np.int32))
        logits |= zip(names, np.asarray(loaded.model(given)), strict=True)
    for number, (words, windows, places) in enumerate(asked_of):
        context = data.documents[data.questions[number].document].text
        scores: dict[tuple[int, int], float] = {}
        nothing = []
        for window, (a, b) in enumerate(windows):
            values, at = logits[number, window].tolist(), len(words) + 2 - a
            nothing.append(values[0][0] + values[0][1])
            for i in range(a, b):
                for j in range(i, min(i + 6, b)):
                    span = places[i][0], places[j][1]
                    scores[span] = max(values[at + i][0] + values[at + j][1], scores.get(span, -np.inf))
        highest = sorted(scores, key=lambda span: -scores[span])[:4]
        assert (table["start"][number], table["end"][number]) == highest[0]
        assert table["answer"][number] == context[slice(*highest[0])]
        found = json.loads(table["n_best"][number])
        expected = [scores[span] - min(nothing) for span in highest]
        np.testing.assert_allclose([each["score"] for each in found], expected, atol=2e-4)
        assert all(context[each["start"] : each["end"]] == each["answer"] for each in found)
    several = sum(len(windows) > 1 for _, windows, _ in asked_of)
    assert several > 150


@pytest.mark.parametrize("count", [1, 24, 25, 26, 34, 35, 36, 100, 1001])
def test_windows_lose_no_token_and_the_last_ends_with_the_document(count: int) -> None:
    windows = Layout(40, 12, 10, 6).windows(count, 3)
    assert {token for a, b in windows for token in range(a, b)} == set(range(count))
    assert windows[-1][1] == count
    assert all(b - a <= 25 for a, b in windows)
    assert [a for a, _ in windows] == [10 * number for number in range(len(windows))]
    assert len(windows) == 1 or windows[-2][1] < count


def folder_of(family: str, folder: Path, pooler: bool = False) -> Path:
    """A tiny random checkpoint with a head for answers, as transformers would have saved it."""
    draws = np.random.default_rng(0)
    heads = ("classifier", "pre_classifier", *(() if pooler else ("bert.pooler", "albert.pooler")))
    shapes = {name: shape for name, shape in _shapes(family).items() if not name.startswith(heads)}
    shapes |= {"qa_outputs.weight": (2, 8), "qa_outputs.bias": (2,)}
    tensors = {name: draws.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    if "roberta" in family:
        tensors["roberta.embeddings.token_type_embeddings.weight"][:] = 0
        tensors["roberta.embeddings.position_embeddings.weight"][:2] = 0
    names = {"xlm-roberta": "XLMRoberta", "distilbert": "DistilBert"}
    architecture = f"{names.get(family, family.capitalize())}ForQuestionAnswering"
    config = CONFIGS[family] | {"model_type": family, "architectures": [architecture]}
    config |= {"pad_token_id": 1} if "roberta" in family else {}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_is_read_computed_alike_by_all_engines_and_written_again(
    family: str, tmp_path: Path
) -> None:
    source = folder_of(family, tmp_path / "source")
    loaded = load_spans(source)
    assert loaded.has_head
    tokens = np.random.default_rng(1).integers(0, 11, (3, 6)).astype(np.int32)
    lengths, seconds = np.array([6, 4, 5], np.int32), np.array([3, 2, 4], np.int32)
    mask = np.arange(6) < lengths[:, np.newaxis]
    given = inputs(family, tf.constant(tokens), tf.constant(mask.astype(np.int32)))
    if "segment_ids" in given:
        given["segment_ids"] = tf.constant((np.arange(6) >= seconds[:, np.newaxis]).astype(np.int32))
    expected = np.asarray(loaded.model(given))
    lean = span_logits_of(
        loaded.backbone, loaded.head, family, tf.constant(tokens), tf.constant(lengths), tf.constant(seconds)
    )
    np.testing.assert_allclose(lean.numpy()[mask], expected[mask], atol=1e-4)
    batch = (tokens, lengths, seconds) if "segment_ids" in given else (tokens, lengths)
    for library in ("openvino", "tensorflow"):
        (found,) = spanning(loaded, Choice(library, "float32")).run([batch])
        np.testing.assert_allclose(found[mask], expected[mask], atol=1e-4)

    export_spans(loaded, source, tmp_path / "out", CARD)
    before, after = (load_file(each / "model.safetensors") for each in (source, tmp_path / "out"))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        np.testing.assert_array_equal(after[name], tensor)
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["architectures"] == json.loads((source / "config.json").read_text())["architectures"]
    assert "id2label" not in config
    assert load_spans(tmp_path / "out").has_head


def test_a_pooler_and_a_head_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    assert load_spans(folder_of("bert", tmp_path / "pooled", pooler=True)).has_head
    config = tmp_path / "pooled/config.json"
    config.write_text(config.read_text().replace("QuestionAnswering", "MultipleChoice"))
    assert not load_spans(tmp_path / "pooled").has_head


def test_the_loss_is_that_of_the_definition_and_windows_without_the_answer_point_to_the_first_token(
    home: Path, tmp_path: Path
) -> None:
    source = tmp_path / "still"
    source.mkdir()
    tiny.write(source)
    config = json.loads((source / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (source / "config.json").write_text(json.dumps(config))
    path = tmp_path / "made.json"
    content = made(4, 4)
    for number, paragraph in enumerate(content["data"][0]["paragraphs"]):
        text, question = paragraph["context"], paragraph["qas"][0]
        begin = len(text) - len(text.split()[-1])
        question["answers"] = [{"text": text[begin:], "answer_start": begin}] if number < 3 else []
    path.write_text(json.dumps(content), encoding="utf-8")
    pairs = Pairs(source, 40)
    examples = Examples.of(read(path), np.arange(4), pairs, READS.layout)
    rows = examples.rows
    for row in range(len(rows)):
        owner, length = int(rows.owners[row]), int(rows.lengths[row])
        is_last = row + 1 == len(rows) or rows.owners[row + 1] != owner
        has = is_last and owner < 3
        # The answer is at the very end: its last token is the one before the last special one.
        assert examples.ends[row] == (length - 2 if has else 0)
        assert (examples.begins[row] > 0) == has
    training = TrainAnswering(pretrained=str(source), precision="float32", batch_size=len(rows))
    model = SpanTuning(training, load_spans(source), rows, 10)
    model._batch_size = len(rows)
    batch = {
        name: tf.constant(column) for name, column in data_of(rows, examples.begins, examples.ends).items()
    }
    figures = model.figures(batch, tf.constant([0, 0], tf.int64))
    logits = model.predicted(rows, 3)
    by_hand = []
    for row, values in enumerate(logits):
        assert len(values) == rows.lengths[row]
        for column, target in enumerate((examples.begins[row], examples.ends[row])):
            shares = np.exp(values[:, column] - values[:, column].max())
            by_hand.append(-np.log(shares[target] / shares.sum()))
    assert float(figures["loss"]) == pytest.approx(np.mean(by_hand), abs=1e-4)
    assert loss_of(logits, examples.begins, examples.ends) == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_no_document_is_in_two_parts_and_parts_follow_from_the_seed() -> None:
    data = QUESTION_SETS["residents"].load()
    numbers = drawn(data, 1, 200)
    parts = split(data, numbers, 1, 0.2, 30)
    on = [{data.questions[n].document for n in part} for part in (parts.train, parts.validation, parts.test)]
    assert not (on[0] & on[1] or on[0] & on[2] or on[1] & on[2])
    together = np.concatenate([parts.train, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(together), numbers)
    assert 40 <= len(parts.validation) < 43
    assert 30 <= len(parts.test) < 33
    assert np.array_equal(split(data, numbers, 1, 0.2, 30).test, parts.test)
    assert not np.array_equal(split(data, numbers, 2, 0.2, 30).test, parts.test)
    with pytest.raises(BadInput, match=r"leave none of .* documents to train on"):
        split(data, numbers, 1, 0.5, 0.6)
    with pytest.raises(BadInput, match="rows is 301, and there are 300 questions"):
        drawn(data, 1, 301)


def test_a_training_leaves_a_model_that_answers_as_it_was_trained_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "BLOCK", 100)
    training = SMALLEST[0]
    result = run_locally(training, tmp_path / "trained")
    left = {path.name for path in (tmp_path / "trained/artifacts").rglob("*") if path.is_file()}
    assert {"answers.png", "losses.png", "answers_by_epoch.png", "metrics.json", READING} <= left
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= left
    assert result.threshold is None
    assert result.validation is not None
    assert result.test is not None
    assert result.validation.baselines.keys() == {"sentence with most words in common", "first noun"}
    assert len(list((tmp_path / "trained/samples").iterdir())) == result.epochs
    assert sum(result.questions.values()) == training.rows

    common = {"model": "trained", "precision": "float32"}
    evaluated = run_locally(EvaluateAnswering(dataset="residents", **common), tmp_path / "evaluated")
    answers = run_locally(AnswerQuestions(dataset="residents", **common), tmp_path / "answers")
    assert (answers.questions, answers.answered, set(answers.remarks)) == (300, 300, {"question cut"})
    table = table_of(tmp_path / "answers")
    questions = QUESTION_SETS["residents"].load().questions
    rights = [[answer for answer, _ in question.answers or ()] for question in questions]
    told = [best(answer, right) for answer, right in zip(table["answer"], rights, strict=True)]
    assert evaluated.scores.all == figures_of(told)
    again = TrainAnswering.model_validate(
        {**{name: getattr(training, name) for name in TrainAnswering.model_fields}, "epochs": 1}
        | {"pretrained": None, "model": "trained", "validation": 0.0, "test": 0.0, "accumulate": 1}
    )
    further = run_locally(again, tmp_path / "further")
    assert further.loss < result.loss * 1.2
    assert (further.validation, further.test, further.best_epoch) == (None, None, None)


EMOJI = "👩‍🔬 met 😀 in Cafe\u0301 Zoë. נעים ok"
ODD = (
    "word",
    "北京是中国的首都。上海是一个城市。",
    EMOJI,
    "  spaces \t around \n\n lines  ",
    "\u0301",
    "a " * 3_000 + "end",
    "x" * 500,
    "",
    "[SEP] [CLS] said",
)


@pytest.mark.parametrize("output", ["parquet", "csv"])
def test_every_odd_document_has_its_documented_outcome_and_offsets_are_right(home: Path, output: str) -> None:
    long = "why " * 100
    job = spec(questions=("Who?", long, " "), texts=ODD, output=output)
    result = run_locally(job, home / f"odd-{output}")
    table = table_of(home / f"odd-{output}", output)
    assert table["row"] == list(range(3 * len(ODD)))
    for row, document in enumerate(table["document"]):
        remark, text = table["remark"][row] or "", ODD[document]
        answer, start, end = (table[name][row] for name in ("answer", "start", "end"))
        assert ("question cut" in remark) == (row % 3 == 1 and answer is not None)
        if row % 3 == 2:
            assert "no question" in remark
        elif document in (7,):
            assert "no document" in remark
        if answer is not None:
            assert text[start:end] == answer
            assert answer == answer.strip() != ""
        else:
            assert (row % 3 == 2) or "no document" in remark
    assert result.without_text == result.unanswered + result.without_text == 27 - result.answered
    assert result.answers == table["answer"]


def test_a_question_alone_is_answered_from_texts_of_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "docs.csv"
    path.write_text("body,n\nAnna lives in Riga,1\n,2\nBoris,3\n")
    job = spec(questions=("Where?",), documents="docs", document_column="body")
    result = run_locally(job, home / "file", {"docs": path})
    assert (result.questions, result.answered, result.without_text) == (3, 2, 1)
    assert table_of(home / "file")["remark"] == ["", "empty, no document", ""]


def test_an_answer_is_given_above_the_threshold_alone(home: Path) -> None:
    texts = ("Anna lives in Riga", "Boris sings", "no")
    scores = run_locally(spec(questions=("Who?",), texts=texts), home / "all")
    table = table_of(home / "all")
    bound = sorted(table["score"])[1]
    some = run_locally(spec(questions=("Who?",), texts=texts, threshold=bound), home / "some")
    assert scores.threshold is None
    assert (some.answered, some.unanswered, some.threshold) == (1, 2, bound)
    kept = table_of(home / "some")
    assert kept["score"] == table["score"]
    assert [answer is not None for answer in kept["answer"]] == [score > bound for score in table["score"]]
    assert kept["n_best"] == table["n_best"]


@pytest.mark.parametrize("output", ["parquet", "csv"])
def test_stopped_answering_goes_on_and_its_file_is_the_same_byte_for_byte(
    home: Path,
    tmp_path: Path,
    context_that_stops: Contexts,
    output: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asked, "BATCHES", 3)
    monkeypatch.setattr(bulk, "REPORT_SECONDS", 0.0)
    path = tmp_path / "made.json"
    path.write_text(json.dumps(made(60, 4)), encoding="utf-8")
    data = {"made": path}
    job = spec(dataset="made", output=output)
    whole = run_locally(job, home / f"whole-{output}", data)
    stopped = home / f"stopped-{output}"
    for batches in (25, 12):
        with pytest.raises(Stopped, match="drain"):
            run_locally(job, stopped, data, context_that_stops(batches))
    assert len(list((stopped / "shards").iterdir())) >= 1
    resumed = run_locally(job, stopped, data)
    times = {"seconds", "questions_per_second"}
    assert resumed.model_dump(exclude=times) == whole.model_dump(exclude=times)
    name = f"artifacts/answers.{output}"
    assert (home / f"whole-{output}" / name).read_bytes() == (stopped / name).read_bytes()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "give one of the fields 'questions' and 'dataset', received neither"),
        ({"dataset": "a", "questions": ("b",)}, "received both"),
        ({"questions": ("b",)}, "comes one of the fields 'texts' and 'documents', received neither"),
        ({"dataset": "a", "texts": ("b",)}, "comes neither of them, received one"),
        ({"dataset": "a", "pretrained": "tiny"}, "'model' and 'pretrained', received both"),
    ],
)
def test_specs_that_do_not_fit_together_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        spec(**fields)


def test_windows_that_would_lose_tokens_are_refused(home: Path) -> None:
    with pytest.raises(InvalidSpec, match="field 'stride' should be at most 316, received 317"):
        TrainAnswering(stride=317)
    with pytest.raises(InvalidSpec, match="field 'max_length' should be at least 69, received 32"):
        TrainAnswering(max_length=32)
    with pytest.raises(BadInput, match="field 'stride' should be at most 24, received 30"):
        run_locally(spec(questions=("a",), texts=("b",), stride=30), home / "stride")


def test_what_cannot_be_answered_or_learnt_from_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no head that finds answers"):
        plain = {"model": None, "pretrained": "tiny", "max_length": 100, "stride": 9}
        run_locally(spec(questions=("a",), texts=("b",), **plain), home / "plain")
    with pytest.raises(BadInput, match="none of the 2 rows has a question and a document with text"):
        run_locally(spec(questions=(" ", "?"), texts=(" ",)), home / "nothing")
    path = tmp_path / "none.csv"
    path.write_text("question,context\nWho?,Anna\n")
    with pytest.raises(BadInput, match="has no question whose answer is known"):
        run_locally(EvaluateAnswering(model="trained", dataset="none"), home / "unknown", {"none": path})
    training = TrainAnswering(
        pretrained="tiny", dataset="none", max_length=100, stride=9, validation=0, test=0
    )
    with pytest.raises(BadInput, match="has no question to learn from: 1 for no answer given"):
        run_locally(training, home / "unlearnt", {"none": path})
