"""What weights of 8 bits cost in quality, and what they bring in speed, beside bfloat16 and float32.

    python -m bench.quantised tweets              # MiniLM-L6 fine-tuned on 6,000 tweets: accuracy on 2,000
    python -m bench.quantised answers FILE        # trained on a SQuAD file: exact match and F1 on all of it
    python -m bench.quantised generation FILE     # SmolLM2: perplexity of 2,048 tokens of a text

Each is trained once, in the default precision, and then measured by OpenVINO in each. Of a file for answers a
part has been learnt from: the figures compare precisions, and say nothing about how good the answers are.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from jobs import (
    AnswerQuestions,
    ClassifyTexts,
    EvaluateAnswering,
    EvaluateClassifier,
    FineTune,
    TrainAnswering,
)
from jobs.datasets.texts.sets import TEXT_SETS
from jobs.local import run_locally

PRECISIONS = ("float32", "bfloat16", "int8")
#: Of a text that SmolLM2 tells: rows, and tokens of each.
ROWS, WIDTH = 32, 64


def tweets(home: Path) -> None:
    """Accuracy, and texts a second."""
    TEXT_SETS["tweets"].write(home)
    lines = (home / "tweets.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    order = np.random.default_rng(0).permutation(np.arange(1, len(lines)))
    for name, rows in (("train", order[:6_000]), ("test", order[6_000:8_000])):
        (home / f"{name}.csv").write_text(
            "".join([lines[0], *(lines[row] for row in rows)]), encoding="utf-8"
        )
    data = {name: home / f"{name}.csv" for name in ("train", "test")}
    spec = FineTune(dataset="train", pretrained="minilm-l6", epochs=2, batch_size=32, max_length=64)
    run_locally(spec, home / "model", data)
    for precision in PRECISIONS:
        fields: Any = {"model": "model", "dataset": "test", "precision": precision}
        told = run_locally(EvaluateClassifier(**fields), home / f"evaluated-{precision}", data)
        began = time.monotonic()
        rows = run_locally(ClassifyTexts(**fields), home / f"classified-{precision}", data).rows
        print(f"{precision}: {told.scores} {rows / (time.monotonic() - began):.0f} texts/s", flush=True)


def answers(home: Path, path: Path) -> None:
    """Exact match and F1, and questions a second."""
    data = {"questions": path}
    spec = TrainAnswering(
        dataset="questions", pretrained="minilm-l6", validation=0, test=0.2, epochs=3, learning_rate=2e-4
    )
    run_locally(spec, home / "model", data)
    for precision in PRECISIONS:
        fields: Any = {"model": "model", "dataset": "questions", "precision": precision}
        scores = run_locally(EvaluateAnswering(**fields), home / f"evaluated-{precision}", data).scores.all
        rate = run_locally(
            AnswerQuestions(**fields), home / f"answered-{precision}", data
        ).questions_per_second
        print(
            f"{precision}: EM {scores.exact_match:.1f}, F1 {scores.f1:.1f}, {rate:.0f} questions/s",
            flush=True,
        )


def generation(home: Path, path: Path) -> None:
    """Perplexity, token by token through the cache that generates."""
    from bench.generation import sample
    from jobs.transformer.decoder import folders
    from jobs.transformer.decoder.openvino import OpenVinoDecoder
    from jobs.transformer.decoder.texts import Texts

    if not sample(home):
        return
    decoder, texts = folders.read(home / "smollm2"), Texts(home / "smollm2")
    tokens = texts.encoded(path.read_text(encoding="utf-8")[: 8 * ROWS * WIDTH], special=False)
    rows = np.asarray(tokens[: ROWS * WIDTH], np.int32).reshape(ROWS, WIDTH)
    for precision in PRECISIONS:
        session = OpenVinoDecoder(decoder.layout, decoder.weights, precision).session(ROWS, WIDTH)
        logits = session.prompts([row[:1] for row in rows])
        told = [_told(logits, rows[:, 1])]
        for place in range(1, WIDTH - 1):
            logits = session.next(rows[:, place], np.full(ROWS, place, np.int32))
            told.append(_told(logits, rows[:, place + 1]))
        print(f"{precision}: perplexity {np.exp(-np.mean(told)):.2f}", flush=True)


def _told(logits: Any, tokens: Any) -> float:
    """The mean logarithm of the chance of tokens."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chances = shifted[np.arange(len(tokens)), tokens] - np.log(np.exp(shifted).sum(axis=1))
    return float(chances.mean())


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    actions: dict[str, Any] = {"tweets": tweets, "answers": answers, "generation": generation}
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        actions[what](Path(name), *map(Path, given))
