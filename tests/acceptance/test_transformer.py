"""A person fine-tunes BERT on two sentences, asks it about texts, and takes the model home."""

from pathlib import Path

import pytest

from jobs import ClassifyTexts, EvaluateClassifier, FineTune
from jobs.transformer.spec import FineTuneResult
from scheduler import Client, Job

SENTENCES = ("I love programming.", "I hate bugs.")
LABELS = ("positive", "negative")


@pytest.fixture(scope="module")
def trained(stack: object) -> Job[FineTuneResult]:
    spec = FineTune(texts=SENTENCES, labels=LABELS, epochs=8, warmup=0, learning_rate=3e-4)
    return Client().submit(spec).watch(280)


def test_two_sentences_train_a_classifier(trained: Job[FineTuneResult]) -> None:
    result = trained.result()
    assert result.class_names == ["negative", "positive"]
    assert result.rows == {"train": 2, "validation": 0, "test": 0}
    assert result.loss < 0.3


def test_it_tells_the_two_sentences_apart(trained: Job[FineTuneResult], client: Client) -> None:
    job = client.submit(ClassifyTexts(model=trained.id, texts=(*SENTENCES, "  ")))
    assert job.wait(200).predictions == [*LABELS, None]


def test_it_is_measured_on_a_file_of_ones_own(
    trained: Job[FineTuneResult], client: Client, tmp_path: Path
) -> None:
    rows = zip(SENTENCES, LABELS, strict=True)
    (tmp_path / "own.csv").write_text("say,mood\n" + "".join(f"{text},{label}\n" for text, label in rows))
    client.datasets.upload("sentences", tmp_path / "own.csv")
    spec = EvaluateClassifier(model=trained.id, dataset="sentences", text_column="say", label_column="mood")
    job = client.submit(spec)
    assert job.wait(200).scores.accuracy == 1.0
    assert {"confusion.png", "calibration.png", "evaluation.json"} <= set(job.artifacts())


def test_the_model_is_a_folder_that_trains_on(trained: Job[FineTuneResult], tmp_path: Path) -> None:
    trained.download(tmp_path)
    folder = tmp_path / "artifacts" / "model"
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
