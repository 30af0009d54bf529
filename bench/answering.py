"""Question answering against PyTorch with the same settings: quality, speed, and the logits of exports.

    python -m bench.answering FILE [SEED ...]     FILE: questions in SQuAD's format, such as XQuAD's

Each seed draws the parts (whole documents), the head and the order; both sides train MiniLM-L6 on the same
rows of tokens, with the same windows, and are tested on the same questions, whose spans are chosen by the
same code. PyTorch trains in bfloat16, in batches by length, in a process of its own. Without PyTorch, which
comes with `pip install '.[bench]'`, only the one side is measured.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from jobs import AnswerQuestions, TrainAnswering
from jobs.local import LocalContext, run_locally

SEEDS = (0, 1, 2)
EPOCHS, LEARNING_RATE, BATCH = 5, 2e-4, 16


def spec_of(seed: int) -> TrainAnswering:
    """A fifth of the questions to be tested on, none to choose an epoch by."""
    return TrainAnswering(
        dataset="questions",
        pretrained="minilm-l6",
        validation=0,
        test=0.2,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        seed=seed,
    )


def main(path: Path, seeds: tuple[int, ...]) -> None:
    ours: list[tuple[float, ...]] = []
    torch: list[tuple[float, ...]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            began = time.process_time()
            result = run_locally(spec_of(seed), folder / "ours", {"questions": path})
            assert result.test is not None
            spent = time.process_time() - began
            found = result.test.all
            ours.append((found.exact_match, found.f1, result.windows_per_second, answering(folder, path)))
            simplest = {name: f"{each.f1:.1f}" for name, each in result.test.baselines.items()}
            print(
                f"seed {seed}, {found.questions} questions, {result.precision}: {_line(ours[-1])}; F1 of "
                f"{simplest}; {spent:.0f} processor seconds",
                flush=True,
            )
            if find_spec("torch") is not None:
                torch.append(with_torch(folder, path, seed))
                print(f"seed {seed}, PyTorch, bfloat16: {_line(torch[-1])}", flush=True)
    print(f"mean: {_line(tuple(map(statistics.mean, zip(*ours, strict=True))))}")
    if torch:
        print(f"mean, PyTorch: {_line(tuple(map(statistics.mean, zip(*torch, strict=True))))}")
        for number, what in ((2, "training"), (3, "answering")):
            mine, theirs = (statistics.median(each[number] for each in found) for found in (ours, torch))
            print(f"ratio of the medians, {what}: {mine / theirs:.2f}")


def answering(folder: Path, path: Path) -> float:
    """Questions a second that `transformer.answering.answer` answers, reading and writing included."""
    data = {"questions": path}
    spec = AnswerQuestions(model="ours", dataset="questions")
    return run_locally(spec, folder / "answers", data).questions_per_second


def with_torch(folder: Path, path: Path, seed: int) -> tuple[float, ...]:
    """Exact match, F1, windows trained on a second, questions answered a second."""
    write_rows(folder, path, seed)
    command = [sys.executable, "-m", "bench.torch_answering", str(folder), str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    trained, answered = map(float, done.stdout.split()[-2:])
    exact, f1 = scored(folder, path, seed)
    return exact, f1, trained, answered


def write_rows(folder: Path, path: Path, seed: int) -> None:
    """The same rows of tokens with their targets, in `train.npz` and `test.npz`, and the checkpoint."""
    from jobs.pretrained.sources import checkpoint_of

    with LocalContext(folder / "rows") as context:
        source = checkpoint_of(None, "minilm-l6", context)
        for name, examples in parts(path, source, seed).items():
            rows = examples.rows
            tokens, lengths, firsts = rows.batch(np.arange(len(rows)))
            targets = {"begins": examples.begins, "ends": examples.ends}
            np.savez(folder / f"{name}.npz", tokens=tokens, lengths=lengths, firsts=firsts, **targets)
        source.rename(folder / "checkpoint")


def scored(folder: Path, path: Path, seed: int) -> tuple[float, float]:
    """Exact match and F1 of PyTorch's logits, in `logits.npz`, by the spans that are chosen here."""
    from jobs.transformer.answering.judging import answered, spans_of
    from jobs.transformer.answering.scoring.scores import scores_of

    test = parts(path, folder / "checkpoint", seed)["test"]
    with np.load(folder / "logits.npz") as file:
        logits = [row[:length] for row, length in zip(file["logits"], test.rows.lengths, strict=True)]
    found = spans_of(test, logits, spec_of(seed).max_answer)
    scores = scores_of(answered(test, found, None)).all
    return scores.exact_match, scores.f1


def parts(path: Path, source: Path, seed: int):
    """The examples of both parts."""
    from jobs.datasets.questions.loading import read
    from jobs.pretrained.pairs import Pairs
    from jobs.transformer.answering.examples import Examples
    from jobs.transformer.answering.reading import Reading
    from jobs.transformer.answering.splitting import drawn, split

    spec, data = spec_of(seed), read(path)
    pairs, layout = Pairs(source, spec.max_length), Reading.of_training(spec, None).layout
    found = split(data, drawn(data, seed, None), seed, spec.validation, spec.test)
    numbers = {"train": found.train, "test": found.test}
    return {name: Examples.of(data, each, pairs, layout) for name, each in numbers.items()}


def _line(found: tuple[float, ...]) -> str:
    exact, f1, trained, answered = found
    return (
        f"exact match {exact:.1f}, F1 {f1:.1f}, {trained:.0f} windows/s trained, {answered:.0f} questions/s"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(f"which file? {json.dumps('python -m bench.answering FILE [SEED ...]')}")
    main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or SEEDS)
