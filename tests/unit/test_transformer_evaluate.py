import json

import numpy as np
import pytest

from jobs import EvaluateClassifier, FineTune
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally

TEXTS = tuple(f"{'good' if n % 2 else 'bad'} {n % 7}" for n in range(40))


@pytest.fixture(scope="module")
def jobs_folder(tmp_path_factory):
    """A folder with a finished fine-tuning, `model`."""
    folder = tmp_path_factory.mktemp("jobs")
    spec = FineTune(
        pretrained="tiny",
        texts=TEXTS,
        labels=tuple("yes" if n % 2 else "no" for n in range(40)),
        epochs=8,
        batch_size=8,
        max_length=16,
        learning_rate=3e-3,
        precision="float32",
    )
    run_locally(spec, folder / "model")
    return folder


@pytest.fixture
def labelled(tmp_path):
    """A file with forty labelled rows, one without a label, one of another class, and one without a text."""
    path = tmp_path / "rows.csv"
    lines = [f"{text},{'yes' if n % 2 else 'no'}" for n, text in enumerate(TEXTS)]
    path.write_text("\n".join(["text,label", *lines, "good 3,", "good 4,maybe", ",no"]) + "\n")
    return path


def evaluate(jobs_folder, path, name, **fields):
    spec = EvaluateClassifier.model_validate({"model": "model", "dataset": "rows", "max_length": 16} | fields)
    return run_locally(spec, jobs_folder / name, {"rows": path})


def test_it_says_how_good_a_model_is_on_a_file(jobs_folder, labelled):
    result = evaluate(jobs_folder, labelled, "whole", unlabelled="skip", unknown="skip", precision="float32")
    assert result.scores.rows == 40
    assert result.left_out == {"no label": 1, "no text: empty": 1, "unknown label: maybe": 1}
    trained = json.loads((jobs_folder / "model/result.json").read_text())
    assert set(result.scores.classes) == set(trained["class_names"]) == {"yes", "no"}
    left = {path.name for path in (jobs_folder / "whole/artifacts").iterdir()}
    assert left == {"confusion.png", "calibration.png", "evaluation.json"}
    assert np.array(result.scores.confusion).sum() == 40


def test_rows_that_are_not_to_be_left_out_are_refused_with_the_way_to_do_so(jobs_folder, labelled):
    with pytest.raises(BadInput, match=r"row 41 of 'rows' has no label: .*unlabelled='skip'"):
        evaluate(jobs_folder, labelled, "unlabelled")
    with pytest.raises(BadInput, match=r"no class for: 'maybe' \(1 rows\); its classes are .*unknown='skip'"):
        evaluate(jobs_folder, labelled, "unknown", unlabelled="skip")


def test_a_file_and_a_model_are_needed(jobs_folder):
    with pytest.raises(InvalidSpec, match="field 'dataset' is required"):
        EvaluateClassifier(model="model")
    with pytest.raises(
        InvalidSpec, match="give one of the fields 'model' and 'pretrained', received neither"
    ):
        EvaluateClassifier(dataset="rows")
