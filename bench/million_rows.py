"""A file of a million rows through `transformer.classify`: rows a second, and what it takes of the memory.

    python -m bench.million_rows [ROWS]

A model of some thousand weights, so that what is measured is everything around it: reading, tokenising,
sorting, writing. Prints the highest resident memory of the process above what it had once TensorFlow,
the model and the engine were loaded, for a tenth of the rows and for all of them.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

#: What the memory above the model's own must stay under.
BOUND = 1_000_000_000
WORDS = (
    "the",
    "film",
    "was",
    "good",
    "bad",
    "love",
    "hate",
    "so",
    "not",
    "really",
    "programming",
    "and",
    "never",
)
MAX_LENGTH, BATCH = 32, 256


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder / "texts.csv", rows)
        for count in (rows // 10, rows):
            measure(folder, count)


def measure(folder: Path, count: int) -> None:
    source = folder / f"first-{count}.csv"
    with (folder / "texts.csv").open("rb") as whole, source.open("wb") as part:
        part.writelines(line for _, line in zip(range(count + 1), whole, strict=False))
    subprocess.run([sys.executable, "-m", "bench.million_rows", str(folder), str(source)], check=True)


def write_texts(path: Path, rows: int) -> None:
    """One line a row, some of them odd: empty, 100,000 characters long, not UTF-8."""
    draws = np.random.default_rng(0)
    counts = draws.integers(3, 25, rows)
    words = iter(np.array(WORDS)[draws.integers(0, len(WORDS), int(counts.sum()))].tolist())
    with path.open("wb") as file:
        file.write(b"id,text\n")
        for number, count in enumerate(counts):
            text = " ".join(next(words) for _ in range(count)).encode()
            if number % 1_000 == 7:
                text = {0: b"", 1: b"long " * 20_000, 2: b"caf\xe9"}[number // 1_000 % 3]
            file.write(b"%d,%s\n" % (number, text))


def classify(folder: Path, source: Path) -> None:
    from jobs import ClassifyTexts
    from jobs.local import run_locally
    from jobs.pretrained import models
    from jobs.pretrained.built import tiny
    from jobs.pretrained.card import Card
    from jobs.pretrained.export import export
    from jobs.transformer.bulk.engine import Choice, classifying

    encoder, model = folder / "encoder", folder / "model"
    if not model.exists():
        encoder.mkdir()
        tiny.write(encoder)
        classes = ("bad", "good")
        classifier = models.load(encoder, len(classes)).classifier
        export(classifier, encoder, model, classes, Card("", "", {}, classes, {}, {}, {}, MAX_LENGTH))
    engine = classifying(models.load(model, 2), Choice.of())
    list(engine.run([(np.ones((BATCH, MAX_LENGTH), np.int32), np.full(BATCH, MAX_LENGTH, np.int32))]))
    before = psutil.Process().memory_info().rss
    spec = ClassifyTexts(pretrained=str(model), dataset="texts", max_length=MAX_LENGTH, batch_size=BATCH)
    began, processor = time.monotonic(), time.process_time()
    result = run_locally(spec, folder / source.stem, {"texts": source})
    seconds, processor = time.monotonic() - began, time.process_time() - processor
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(
        f"{result.rows:,} rows with {result.engine}: {result.rows / seconds:,.0f} rows/s, {processor:.0f} s "
        f"of processor time, {above / 1e6:,.0f} MB above the {before / 1e6:,.0f} MB of the loaded model; "
        f"{result.remarks}"
    )
    if above > BOUND:
        raise SystemExit(f"more than {BOUND / 1e6:,.0f} MB")


if __name__ == "__main__":
    if sys.argv[2:]:
        classify(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
