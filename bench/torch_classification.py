"""Classifying with PyTorch and transformers: `python -m bench.torch_classification WAY FOLDER`.

`bfloat16` (the model's weights), `autocast` (to bfloat16) and `float32` go through texts sorted by length, in
batches padded to their longest, a multiple of 8; `pipeline` is the library's own, as its documentation shows
it, with default settings. Prints rows a second after a warm-up.
"""

import contextlib
import csv
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from bench.classification import BATCH, MAX_LENGTH, PIPELINE_ROWS

WARM_UP = 64


def by_length(texts: list[str], way: str, folder: Path) -> float:
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    if way == "bfloat16":
        model = model.bfloat16()
    labels(texts[:WARM_UP], tokenizer, model, way)
    began = time.monotonic()
    found = labels(texts, tokenizer, model, way)
    assert len(found) == len(texts)
    return len(texts) / (time.monotonic() - began)


def labels(texts: list[str], tokenizer, model, way: str) -> list[int]:  # type: ignore[no-untyped-def]
    ids = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    order = sorted(range(len(texts)), key=lambda row: len(ids[row]))
    found = [0] * len(texts)
    cast = torch.autocast("cpu", torch.bfloat16) if way == "autocast" else contextlib.nullcontext()
    with torch.inference_mode(), cast:
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            batch = tokenizer.pad(
                {"input_ids": [ids[row] for row in rows]}, pad_to_multiple_of=8, return_tensors="pt"
            )
            for row, label in zip(rows, model(**batch).logits.argmax(dim=1).tolist(), strict=True):
                found[row] = label
    return found


def by_pipeline(texts: list[str], folder: Path) -> float:
    classifier = pipeline("text-classification", model=str(folder / "model"))
    classifier(texts[:WARM_UP])
    texts = texts[:PIPELINE_ROWS]
    began = time.monotonic()
    assert len(classifier(texts)) == len(texts)
    return len(texts) / (time.monotonic() - began)


if __name__ == "__main__":
    way, folder = sys.argv[1], Path(sys.argv[2])
    with (folder / "texts.csv").open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    print(by_pipeline(texts, folder) if way == "pipeline" else by_length(texts, way, folder))
