"""200 labelled tweets, with and without a training on masked words before: accuracy on 2,000 others.

    python -m bench.few_labels [EPOCHS OF MINILM-L6 [EPOCHS FROM NOTHING]]

The 23,140 tweets are 2,000 to test on, three times 200 with labels, and the rest, whose texts are a corpus
without labels. The labelled and the tested tweets have no part in it. All fine-tunings that are compared have
the same settings and the same 200 rows.
"""

import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jobs import EvaluateClassifier, FineTune, TrainText
from jobs.datasets.texts.sets import TEXT_SETS
from jobs.local import run_locally
from jobs.pretrained.built import fresh
from jobs.pretrained.files import TOKENIZER

SEEDS, LABELS, TESTED = (0, 1, 2), 200, 2_000
FROM_MINILM = {"epochs": 10, "learning_rate": 1e-4}
FROM_NOTHING = {"epochs": 20, "learning_rate": 3e-4}


def written(home: Path) -> dict[str, Path]:
    """The files, by the name of the data set: `rest` is a corpus, the others have labels."""
    TEXT_SETS["tweets"].write(home)
    with (home / "tweets.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    order = np.random.default_rng(0).permutation(len(rows))
    tested, others = order[:TESTED], order[TESTED:]
    parts = {"tested": tested}
    for seed in SEEDS:
        halves = [[row for row in others if rows[row][1] == name][: LABELS // 2] for name in CLASSES]
        parts[f"labelled-{seed}"] = np.concatenate(halves)
        others = np.setdiff1d(others, parts[f"labelled-{seed}"])
        others = np.random.default_rng(seed + 1).permutation(others)
    parts["rest"] = others
    for name, chosen in parts.items():
        with (home / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            kept = 1 if name == "rest" else 2
            csv.writer(file).writerows([("text", "label")[:kept], *(rows[row][:kept] for row in chosen)])
    return {name: home / f"{name}.csv" for name in parts}


CLASSES = ("negative", "positive")


def pretrained(name: str, spec: TrainText, home: Path, data: Mapping[str, Path]) -> None:
    """Trains on masked words, and says what it came to."""
    began = time.process_time()
    result = run_locally(spec, home / name, data)
    if (found := result.held_out) is not None:
        print(
            f"{name}: perplexity {found.perplexity:.1f}, accuracy {found.accuracy:.3f}, unigram "
            f"{found.unigram:.1f}, 5-gram filler {found.five_gram:.1f}; {result.steps} steps, "
            f"{(time.process_time() - began) / 60:.1f} processor minutes",
            flush=True,
        )


def tuned(name: str, start: Mapping[str, object], home: Path, data: Mapping[str, Path]) -> None:
    """Fine-tunes on each 200 labels, and prints the accuracies."""
    found = []
    for seed in SEEDS:
        job = f"{name}-{seed}"
        fields = {"dataset": f"labelled-{seed}", "validation": 0, "test": 0, "max_length": 64, "seed": seed}
        run_locally(FineTune.model_validate({**fields, **start}), home / job, data)
        judged = run_locally(EvaluateClassifier(model=job, dataset="tested"), home / f"{job}-judged", data)
        found.append(judged.scores.accuracy)
    print(
        f"{name}: {', '.join(f'{each:.4f}' for each in found)}, mean {statistics.mean(found):.4f}", flush=True
    )


def simplest(data: Mapping[str, Path]) -> None:
    """Prints the accuracies of logistic regression on counts of words, and of the commonest class."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    tested, labels = read(data["tested"])
    found = []
    for seed in SEEDS:
        texts, known = read(data[f"labelled-{seed}"])
        words = TfidfVectorizer()
        model = LogisticRegression(max_iter=1000).fit(words.fit_transform(texts), known)
        found.append(model.score(words.transform(tested), labels))
    print(
        f"words: {', '.join(f'{each:.4f}' for each in found)}, mean {statistics.mean(found):.4f}; "
        f"commonest class {max(map(labels.count, CLASSES)) / len(labels):.4f}",
        flush=True,
    )


def read(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def untrained(job: Path, folder: Path, spec: TrainText) -> Path:
    """The layout and the vocabulary of a training from nothing, with the weights that it began with."""
    model = job / "artifacts" / "model"
    folder.mkdir()
    content = (model / TOKENIZER).read_text(encoding="utf-8")
    sizes = fresh.Sizes(spec.layers, spec.hidden, spec.heads, spec.max_length, spec.dropout)
    from tokenizers import Tokenizer

    fresh.write(folder, content, Tokenizer.from_str(content).get_vocab_size(), sizes, spec.seed)
    return folder


def main(of_minilm: int = 2, of_nothing: int = 10) -> None:
    """Runs all of it."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        data = written(home)
        simplest(data)
        tuned("minilm-l6", {"pretrained": "minilm-l6", **FROM_MINILM}, home, data)
        going_on = TrainText(dataset="rest", pretrained="minilm-l6", epochs=of_minilm)
        pretrained("masked-minilm", going_on, home, data)
        tuned("minilm-l6-trained", {"model": "masked-minilm", **FROM_MINILM}, home, data)
        new = TrainText(dataset="rest", epochs=of_nothing)
        pretrained("masked", new, home, data)
        tuned("from-nothing-trained", {"model": "masked", **FROM_NOTHING}, home, data)
        data["untrained"] = untrained(home / "masked", home / "untrained", new)
        tuned("from-nothing", {"pretrained": "untrained", **FROM_NOTHING}, home, data)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
