"""Classifying speed: `transformer.classify` against PyTorch, side by side in one run.

    python -m bench.classification [TIMES]

The sample checkpoint with a head of two classes, and the first tweets of the sample set, on this machine's
processors. Each is a process of its own and is timed from the texts to their labels: tokenising included,
loading not, and for `transformer.classify` reading and writing the files as well. Prints the median of the
times that each was measured, in turn, and the ratios. PyTorch comes with `pip install '.[bench]'`.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

#: Rows classified. The pipeline takes its texts one by one, so it gets fewer of the same.
ROWS, PIPELINE_ROWS = 4_096, 512
MAX_LENGTH, BATCH = 128, 64
OURS = ("openvino bfloat16", "openvino float32", "tensorflow bfloat16", "tensorflow float32")
TORCH = ("bfloat16", "autocast", "float32", "pipeline")


def main(times: int) -> None:
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("bench.classification", "prepare", folder)
        for _ in range(times):
            for way in OURS:
                measured.setdefault(way, []).append(_run("bench.classification", way, folder))
            for way in TORCH:
                measured.setdefault(f"PyTorch {way}", []).append(
                    _run("bench.torch_classification", way, folder)
                )
            print("  " + ", ".join(f"{way} {found[-1]:.0f}" for way, found in measured.items()), flush=True)
    medians = {way: statistics.median(found) for way, found in measured.items()}
    best = medians[OURS[0]]
    print(f"MiniLM-L6 on tweets, rows/s, median of {times}:")
    for way, speed in medians.items():
        print(f"  {way:24} {speed:8.0f}   openvino bfloat16 is {best / speed:.2f} times as fast")


def _run(module: str, way: str, folder: Path) -> float:
    """The number that a process prints last."""
    command = [sys.executable, "-m", module, way, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def prepare(folder: Path) -> None:
    """Writes `texts.csv`, and the classifier to `model/` in Hugging Face's format."""
    import csv

    from jobs.datasets.texts import sets as texts
    from jobs.datasets.texts.rows import rows
    from jobs.local import LocalContext
    from jobs.pretrained import models
    from jobs.pretrained.card import Card
    from jobs.pretrained.export import export
    from jobs.pretrained.sources import checkpoint_of

    classes = ("negative", "positive")
    with LocalContext(folder / "job") as context:
        source = checkpoint_of(None, "minilm-l6", context)
        classifier = models.load(source, len(classes)).classifier
        export(classifier, source, folder / "model", classes, Card("", "", {}, classes, {}, {}, {}, 128))
        tweets = [row.text for row in rows(texts.file_of("tweets", context), "text") if row.text]
    with (folder / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in tweets[:ROWS])])
    print(0)


def classify(way: str, folder: Path) -> None:
    """Prints rows a second of `transformer.classify` in a folder."""
    from jobs import ClassifyTexts
    from jobs.local import run_locally

    engine, precision = way.split()
    spec = ClassifyTexts.model_validate(
        {
            "pretrained": str(folder / "model"),
            "dataset": "texts",
            "max_length": MAX_LENGTH,
            "batch_size": BATCH,
            "engine": engine,
            "precision": precision,
        }
    )
    with tempfile.TemporaryDirectory() as job:
        result = run_locally(spec, Path(job), {"texts": folder / "texts.csv"})
    assert result.rows == ROWS
    print(result.rows_per_second)


if __name__ == "__main__":
    if sys.argv[2:]:
        run = prepare if sys.argv[1] == "prepare" else lambda folder: classify(sys.argv[1], folder)
        run(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 3)
