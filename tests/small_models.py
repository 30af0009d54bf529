"""Models of a moment, and data for them: what they say is of no interest, only whether it stays the same."""

import json
from pathlib import Path

import numpy as np

from jobs import (
    TrainAnswering,
    TrainGan,
    TrainImageClassifier,
    TrainSelfSupervised,
    TrainSeries,
    TrainStyle,
    TrainText,
)
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.local import run_locally
from jobs.pretrained import masked, models, spans
from jobs.pretrained.built import tiny
from jobs.pretrained.card import Card
from jobs.pretrained.export import export
from jobs.transformer.answering.documents.reading import READING, Reading


def write_models(home: Path) -> None:
    """A folder of data sets, and of jobs that have left a model, such as `classifier`, `gan` and `vision`."""
    write_classifier(home, home / "classifier/artifacts/model")
    write_answerer(home)
    texts = [f'"{"great " * (n % 5)}film {n}"' if n % 11 else "" for n in range(100)]
    (home / "texts.csv").write_text("\n".join(["id,text", *(f"{n},{text}" for n, text in enumerate(texts))]))
    write_series(home)
    write_masked(home)
    write_style(home)
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 1), dtype=np.uint8)
    ImageSet(images, np.arange(60) % 2, ("even", "odd")).write(home / "images.npz")
    data = {"images": home / "images.npz"}
    run_locally(
        TrainSelfSupervised(dataset="images", epochs=1, batch_size=8, embedding_dim=4), home / "encoder", data
    )
    run_locally(
        TrainGan(
            architecture="mlp",
            dataset="images",
            epochs=1,
            batch_size=8,
            latent_dim=4,
            generator_units=(5,),
            discriminator_units=(5,),
            conditional=True,
        ),
        home / "gan",
        data,
    )
    run_locally(
        TrainImageClassifier(dataset="images", epochs=1, batch_size=8, width=4, depth=1, precision="float32"),
        home / "vision",
        data,
    )


def write_series(home: Path) -> None:
    """Two columns of hours, ten series of the same columns, and a job that has learnt from the hours."""
    random = np.random.default_rng(0)
    hours = random.normal(10, 2, (90, 2)).round(2)
    lines = [f"2024-01-{1 + n // 24:02d} {n % 24:02d}:00,{a},{b}" for n, (a, b) in enumerate(hours)]
    lines[40:43] = [f"{line.rpartition(',')[0]}," for line in lines[40:43]]  # some that are missing
    (home / "hours.csv").write_text("\n".join(["time,a,b", *lines]))
    starts, offsets = np.full(10, 19_723 * 86_400_000_000, np.int64), np.arange(11) * 30
    names = tuple(f"shop {number}" for number in range(10))
    step, calendar = Step(microseconds=3_600_000_000), Calendar("time")
    (home / "shops").mkdir()
    values = random.normal(10, 2, (300, 2))
    values[25:45, 0] = values[110:118, 1] = values[200:203] = np.nan
    Table(("a", "b"), names, starts, offsets, values, step, calendar, "shop").write(home / "shops")
    spec = TrainSeries(dataset="hours", horizon=3, window=8, method="ridge")
    run_locally(spec, home / "series", {"hours": home / "hours.csv"})


def write_masked(home: Path) -> None:
    """A model for masked words, of random weights."""
    found = masked.load(home / "pretrained", seed=1)
    masked.export(found, home / "pretrained", home / "masked/artifacts/model", "A card.")
    spec = TrainText(dataset="descriptions", pretrained="tiny")
    (home / "masked/spec.json").write_text(json.dumps(spec.to_wire()))


def write_style(home: Path) -> None:
    """A job that has learnt the look of noise from noise."""
    random = np.random.default_rng(0)
    names = ("sketches", "paintings")
    for name in names:
        ImageSet(random.integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)).write(home / f"{name}.npz")
    spec = TrainStyle(
        source="sketches", target="paintings", epochs=1, batch_size=4, channels=2, blocks=1, judge_every=0
    )
    run_locally(spec, home / "style", {name: home / f"{name}.npz" for name in names})


def write_classifier(home: Path, model: Path) -> None:
    """A classifier of random weights, and the checkpoint that it has them from."""
    (home / "pretrained").mkdir()
    tiny.write(home / "pretrained")
    classifier = models.load(home / "pretrained", 2, seed=1).classifier
    card = Card("tiny", "none", {}, ("bad", "good"), {}, {}, {}, 32)
    export(classifier, home / "pretrained", model, ("bad", "good"), card)


def write_answerer(home: Path) -> None:
    """A model of random weights that finds answers, as a training leaves it, and questions to ask it."""
    loaded = spans.load_spans(home / "pretrained", seed=1)
    model = home / "answerer/artifacts/model"
    spans.export_spans(loaded, home / "pretrained", model, Card("tiny", "none", {}, (), {}, {}, {}, 40))
    reading = Reading(max_length=40, max_question=12, stride=10, max_answer=6, threshold=-0.05)
    (model / READING).write_text(reading.text())
    (home / "answerer/spec.json").write_text(json.dumps(TrainAnswering(pretrained="tiny").to_wire()))
    asked = [
        {"id": f"{n}", "question": f"who is {n}?", "answers": [{"text": f"film {n}"}]} for n in range(60)
    ]
    said = [f"film {n}, {'great ' * (n % 5)}it is." for n in range(60)]
    documents = [" ".join(said[first : first + 5]) for first in range(0, 60, 5)]
    paragraphs = [
        {"context": text, "qas": asked[5 * number : 5 * number + 5]} for number, text in enumerate(documents)
    ]
    for question in asked[5:10]:  # which cannot be mistaken for one of its neighbours
        question["answers"] = []
    (home / "people.json").write_text(json.dumps({"data": [{"title": "films", "paragraphs": paragraphs}]}))


def people(home: Path) -> dict[str, Path]:
    """The questions, by the name that specs have for them."""
    return {"people": home / "people.json"}
