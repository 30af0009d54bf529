"""Question answering against PyTorch with the same settings: quality, speed, and the logits of exports.

    python -m bench.answering quality FILE [SEED ...]
    python -m bench.answering speed FILE
    python -m bench.answering folders

FILE has questions in SQuAD's format, such as XQuAD's.

- `quality`: each seed draws the parts (whole documents), the head and the order; both sides train MiniLM-L6
  on the same rows of tokens, with the same windows, and are tested on the same questions, whose spans are
  chosen by the same code. PyTorch trains in bfloat16, in batches by length.
- `speed`: windows in training and in answering, a second and for two seconds of the processors (which tells
  something even where other programs run), the same batches on both sides, in turn, each side in a process
  of its own; and questions a second of `transformer.answering.answer` as a whole.
- `folders`: a checkpoint of random weights of each family, written by transformers; logits of what is read
  from it, and of what is written again, here and by `AutoModelForQuestionAnswering`.

Without PyTorch, which comes with `pip install '.[bench]'`, `quality` and `speed` measure the one side only.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jobs import AnswerQuestions, TrainAnswering
from jobs.local import LocalContext, run_locally

SEEDS = (0, 1, 2)
EPOCHS, LEARNING_RATE, BATCH = 3, 2e-4, 16
#: Of `speed`: measurements of each side, batches of a pass, seconds of a measurement, windows in a batch that
#: is answered.
ROUNDS, BATCHES, SECONDS, ANSWERED = 3, 10, 5.0, 32
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "albert")
#: What the logits of a folder may differ by.
BOUND = 1e-4


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


def quality(path: Path, seeds: tuple[int, ...]) -> None:
    """Exact match and F1, side by side."""
    found: dict[str, list[tuple[float, float]]] = {"triptych": [], "PyTorch": []}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as name:
            folder, began = Path(name), time.process_time()
            result = run_locally(spec_of(seed), folder / "ours", {"questions": path})
            assert result.test is not None
            scores = result.test.all
            found["triptych"].append((scores.exact_match, scores.f1))
            simplest = {name: f"{each.f1:.1f}" for name, each in result.test.baselines.items()}
            print(
                f"seed {seed}, {scores.questions} questions, {result.precision}: {_line(found['triptych'])}; "
                f"F1 of {simplest}; {time.process_time() - began:.0f} processor seconds",
                flush=True,
            )
            if find_spec("torch") is not None:
                write_rows(folder, path, seed)
                (spent,) = _printed("quality", str(folder), str(seed))
                found["PyTorch"].append(scored(folder, path, seed))
                line = _line(found["PyTorch"])
                print(f"seed {seed}, PyTorch, bfloat16: {line}; {spent:.0f} processor seconds", flush=True)
    for name, each in found.items():
        if each:
            exact, f1 = (statistics.mean(values) for values in zip(*each, strict=True))
            print(f"mean, {name}: exact match {exact:.1f}, F1 {f1:.1f}")


def speed(path: Path) -> None:
    """Windows a second, side by side."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder, path, 0)
        ways = {"triptych": ("-m", "bench.answering", "measure", str(folder), str(path))}
        if find_spec("torch") is not None:
            ways["PyTorch"] = ("-m", "bench.torch_answering", "speed", str(folder))
        found: dict[str, list[list[float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, command in ways.items():
                found[name].append(_numbers(command))
                print(f"{name}: {found[name][-1]}", flush=True)
    whole = statistics.median(each[4] for each in found["triptych"])
    print(f"transformer.answering.answer as a whole: {whole:.0f} questions/s")
    units = ("a second", "for 2 processor seconds")
    # Where the numbers stand here, and in PyTorch.
    columns = [
        (f"windows {what}", wanted, unit, {"triptych": here + each, "PyTorch": there + each})
        for what, wanted, here, there in (
            ("trained on", 1.0, 0, 0),
            ("answered", 1.4, 2, 2),
            ("answered in int8", 1.4, 5, 2),
        )
        for each, unit in enumerate(units)
    ]
    for what, wanted, unit, places in columns:
        medians = {
            name: statistics.median(each[places[name]] for each in rates) for name, rates in found.items()
        }
        for name, each in medians.items():
            print(f"{what}, {name}: {each:.1f} {unit}")
        if "PyTorch" in medians:
            ratio = medians["triptych"] / medians["PyTorch"]
            print(f"ratio of the medians {ratio:.2f}, to be at least {wanted}")


def measure(folder: Path, path: Path) -> None:
    """Prints windows trained on, answered, questions answered, windows answered in int8 (see `rate`)."""
    import tensorflow as tf

    from jobs.pretrained.spans import load_spans
    from jobs.training import Passes
    from jobs.transformer.answering.learning import SpanTuning, data_of
    from jobs.transformer.bulk.engine import Choice, spanning

    examples = parts(path, folder / "checkpoint", 0)["train"]
    rows = examples.rows
    loaded = load_spans(folder / "checkpoint", 0)
    model = SpanTuning(spec_of(0), loaded, rows, 10_000)
    model.place(data_of(rows, examples.begins, examples.ends), Passes(len(rows), BATCH))
    step = tf.function(model.train_step, autograph=False)
    order = tf.constant(np.load(folder / "order.npy").reshape(-1), tf.int32)
    whole = lambda number: tf.constant(number, tf.int64)  # noqa: E731

    def passed() -> None:
        losses = [step((order, whole(number), whole(number + 1)))["loss"] for number in range(BATCHES)]
        float(losses[-1])

    trained = rate(passed, BATCHES * BATCH)

    batches = [rows.batch(each) for each in np.load(folder / "answered.npy")]
    answered, rounded = (
        rate(lambda: list(engine.run(batches)), len(batches) * ANSWERED)  # noqa: B023
        for engine in (spanning(loaded, Choice.of()), spanning(loaded, Choice.of(precision="int8")))
    )

    asked = AnswerQuestions(pretrained=str(folder / "asked"), dataset="questions")
    if not (folder / "asked").is_dir():
        leave(loaded, folder / "checkpoint", folder / "asked")
    with tempfile.TemporaryDirectory() as left:
        found = run_locally(asked, Path(left) / "answers", {"questions": path})
    print(*trained, *answered, found.questions_per_second, *rounded)


def rate(action: Any, count: int) -> tuple[float, float]:
    """How many a second, and for two processor seconds, after one call that does not count."""
    action()
    began, spent, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < SECONDS:
        action()
        done += count
    return done / (time.monotonic() - began), 2 * done / (time.process_time() - spent)


def leave(loaded: Any, source: Path, folder: Path) -> None:
    """Writes a model as a folder."""
    from jobs.pretrained.card import Card
    from jobs.pretrained.spans import export_spans

    card = Card("random weights", "nothing", {}, (), {}, {}, {}, 384)
    export_spans(loaded, source, folder, card)


def write_rows(folder: Path, path: Path, seed: int) -> None:
    """The same rows of tokens with their targets, the checkpoint, and the batches that `speed` uses.

    In `train.npz`, `test.npz`, `checkpoint/`, `order.npy` and `answered.npy`.
    """
    from jobs.pretrained.sources import checkpoint_of
    from jobs.training import Passes
    from jobs.transformer.encoder.lengths import ByLength

    with LocalContext(folder / "rows") as context:
        source = checkpoint_of(None, "minilm-l6", context)
        for name, examples in parts(path, source, seed).items():
            rows = examples.rows
            tokens, lengths, firsts = rows.batch(np.arange(len(rows)))
            targets = {"begins": examples.begins, "ends": examples.ends}
            np.savez(folder / f"{name}.npz", tokens=tokens, lengths=lengths, firsts=firsts, **targets)
            if name == "train":
                order = ByLength(rows.lengths, Passes(len(rows), BATCH))(seed, 0, len(rows))
                np.save(folder / "order.npy", order[: BATCHES * BATCH].reshape(-1, BATCH))
                sorted_rows = np.argsort(-rows.lengths, kind="stable")
                batches = sorted_rows[: len(rows) // ANSWERED * ANSWERED].reshape(-1, ANSWERED)
                np.save(folder / "answered.npy", batches[::2])
        source.rename(folder / "checkpoint")


def scored(folder: Path, path: Path, seed: int) -> tuple[float, float]:
    """Exact match and F1 of PyTorch's logits, in `logits.npz`, by the spans that are chosen here."""
    from jobs.transformer.answering.scoring.judging import answered, spans_of
    from jobs.transformer.answering.scoring.scores import scores_of

    test = parts(path, folder / "checkpoint", seed)["test"]
    with np.load(folder / "logits.npz") as file:
        logits = [row[:length] for row, length in zip(file["logits"], test.rows.lengths, strict=True)]
    found = spans_of(test, logits, spec_of(seed).max_answer)
    scores = scores_of(answered(test, found, None)).all
    return scores.exact_match, scores.f1


def parts(path: Path, source: Path, seed: int) -> dict[str, Any]:
    """The examples of both parts."""
    from jobs.datasets.questions.loading import read
    from jobs.pretrained.pairs import Pairs
    from jobs.transformer.answering.documents.examples import Examples
    from jobs.transformer.answering.documents.reading import Reading
    from jobs.transformer.answering.documents.splitting import drawn, split

    spec, data = spec_of(seed), read(path)
    pairs, layout = Pairs(source, spec.max_length), Reading.of_training(spec, None).layout
    found = split(data, drawn(data, seed, None), seed, spec.validation, spec.test)
    numbers = {"train": found.train, "test": found.test}
    return {name: Examples.of(data, each, pairs, layout) for name, each in numbers.items()}


def folders() -> None:
    """Logits of folders of random weights, here and by PyTorch, before and after they are written here."""
    from jobs.pretrained.spans import load_spans

    draws = np.random.default_rng(0)
    tokens = draws.integers(5, 99, (6, 24)).astype(np.int32)
    lengths, firsts = np.array([24, 24, 20, 17, 9, 5], np.int32), np.array([8, 3, 9, 5, 4, 2], np.int32)
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.savez(folder / "given.npz", tokens=tokens, lengths=lengths, firsts=firsts)
            _printed("make", family, str(folder / "theirs"))
            loaded = load_spans(folder / "theirs")
            assert loaded.has_head
            mine = _logits(loaded, tokens, lengths, firsts)
            leave(loaded, folder / "theirs", folder / "ours")
            for what in ("theirs", "ours"):
                _printed("logits", str(folder / what), str(folder / "given.npz"), str(folder / "out.npy"))
                told = np.load(folder / "out.npy")
                largest = max(
                    float(np.abs(mine[row, :length] - told[row, :length]).max())
                    for row, length in enumerate(lengths)
                )
                whose = {"theirs": "read", "ours": "written"}[what]
                print(f"{family}, {whose}: {largest:.1e} at most, of logits to {np.abs(told).max():.1f}")
                if largest > BOUND:
                    raise SystemExit(1)


def _logits(loaded: Any, tokens: Any, lengths: Any, firsts: Any) -> Any:
    import tensorflow as tf

    from jobs.transformer.encoder.forward import span_logits_of

    given = (tf.constant(each) for each in (tokens, lengths, firsts))
    return span_logits_of(loaded.backbone, loaded.head, loaded.family, *given).numpy()


def _printed(*arguments: str) -> list[float]:
    return _numbers(("-m", "bench.torch_answering", *arguments))


def _numbers(command: tuple[str, ...]) -> list[float]:
    """What a process prints in its last line."""
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    return [float(each) for each in done.stdout.splitlines()[-1].split()]


def _line(found: list[tuple[float, float]]) -> str:
    exact, f1 = found[-1]
    return f"exact match {exact:.1f}, F1 {f1:.1f}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["quality", path, *seeds]:
            quality(Path(path), tuple(map(int, seeds)) or SEEDS)
        case ["speed", path]:
            speed(Path(path))
        case ["measure", folder, path]:
            measure(Path(folder), Path(path))
        case ["folders"]:
            folders()
        case _:
            raise SystemExit(__doc__)
