"""The model card: what a person who finds the exported folder wants to know, as README.md."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.datasets.readable import one_line


@dataclass(frozen=True)
class Card:
    """What a model card says.

    Attributes:
        base: the checkpoint that the training began with.
        data: the data set's name.
        rows: texts by part, such as `{"train": 6000, "test": 600}`.
        class_names: by number.
        metrics: by name, measured on texts that the model has not seen.
        settings: the spec of the training.
        versions: of the libraries, by name.
        max_length: tokens of a text that the model was trained to read.
        notes: further sentences.
        task: what hubs call it.
        about: what the model does, in sentences; empty for a classifier.
        use: how to use it, as Markdown; empty for a classifier.
    """

    base: str
    data: str
    rows: Mapping[str, int]
    class_names: Sequence[str]
    metrics: Mapping[str, float]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    max_length: int
    notes: Sequence[str] = field(default=())
    task: str = "text-classification"
    about: str = ""
    use: str = ""

    def text(self) -> str:
        """The card as Markdown, with the metadata that hubs read at its head."""
        classes = ", ".join(map(_code, self.class_names))
        classifier = (
            f"A text classifier with the classes {classes}. It reads the first {self.max_length} tokens of a "
            "text."
        )
        rows = ", ".join(f"{count:,} for {part}" for part, count in self.rows.items())
        parts = [
            _metadata(self),
            f"# {_cell(self.base)}, fine-tuned on {_cell(self.data)}\n",
            f"{self.about or classifier}\n",
            "## Metrics\n",
            _table(("metric", "on texts it has not seen"), {k: f"{v:.4g}" for k, v in self.metrics.items()}),
            "## How it was made\n",
            f"Fine-tuned by Triptych from {_code(self.base)}, on the data set {_code(self.data)} ({rows}). "
            "The training has this specification; the same one gives the same weights, bit for bit:\n",
            f"```json\n{json.dumps(dict(self.settings), indent=2)}\n```\n",
            _table(("library", "version"), self.versions),
            *(f"{note}\n" for note in self.notes),
            "## How to use it\n",
            self.use or _USE,
        ]
        return "\n".join(parts)


_USE = """```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("folder")
model = AutoModelForSequenceClassification.from_pretrained("folder")
```

With Keras: `keras_hub.models.Backbone.from_preset("folder")` reads the encoder.
"""


def _code(name: str) -> str:
    """A name in a fixed-width font, whatever is in it: fenced by more backticks than it has in a row."""
    shown = one_line(name)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    edge = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def _cell(text: str) -> str:
    """A text that Markdown takes for nothing but a text, in a table as well."""
    return re.sub(r"([\\`*_\[\]<>&|#~])", r"\\\1", one_line(text))


def _metadata(card: Card) -> str:
    lines = [
        "---",
        "library_name: transformers",
        f"pipeline_tag: {card.task}",
        f"base_model: {json.dumps(card.base)}",
        "tags: [triptych]",
        "---\n",
    ]
    return "\n".join(lines)


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    lines = [
        f"| {head[0]} | {head[1]} |",
        "|---|---|",
        *(f"| {_cell(key)} | {_cell(text)} |" for key, text in rows.items()),
    ]
    return "\n".join(lines) + "\n"
