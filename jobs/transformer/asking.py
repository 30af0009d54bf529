"""What a job asks: a trained model with its tokenizer and engine, which stays in memory between jobs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.pretrained.models import load, unusual
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.asked import class_names_of, model_folder
from jobs.transformer.bulk.engine import Choice, Engine, classifying, embedding
from jobs.transformer.bulk.held import held
from jobs.transformer.uses import Asking


@dataclass(frozen=True)
class Classifier:
    """Tells classes apart.

    Attributes:
        names: of the classes, by number.
        tokenizer: cuts texts.
        engine: computes logits.
        said: what is unusual about the checkpoint, see `pretrained.models.unusual`.
    """

    names: tuple[str, ...]
    tokenizer: Tokenizer
    engine: Engine
    said: str


@dataclass(frozen=True)
class Embedder:
    """Turns texts into numbers.

    Attributes:
        dim: how many.
        tokenizer: cuts texts.
        engine: computes embeddings.
        said: what is unusual about the checkpoint, see `pretrained.models.unusual`.
    """

    dim: int
    tokenizer: Tokenizer
    engine: Engine
    said: str


def classifier(spec: Asking[Any], choice: Choice, context: JobContext) -> Classifier:
    """The classifier that a spec names.

    Raises:
        BadInput: the model cannot be had here, or tells no classes apart; the text says what to do.
    """

    def read(folder: Path) -> Classifier:
        names = class_names_of(folder)
        tokenizer = Tokenizer(folder, spec.max_length)
        engine = classifying(load(folder, len(names)), choice)
        return Classifier(names, tokenizer, engine, unusual(folder, tokenizer))

    return held(
        f"classifier {spec.max_length} {choice}",
        spec.model,
        lambda: model_folder(spec, context),
        context,
        read,
    )


def embedder(spec: Asking[Any], normalize: bool, choice: Choice, context: JobContext) -> Embedder:
    """The encoder that a spec names.

    Raises:
        BadInput: the model cannot be had here; the text says what to do.
    """

    def read(folder: Path) -> Embedder:
        tokenizer = Tokenizer(folder, spec.max_length)
        loaded = load(folder, 2)  # a head of two classes, which has no part in it
        dim = int(loaded.classifier.backbone.hidden_dim)
        engine = embedding(loaded, normalize, choice)
        return Embedder(dim, tokenizer, engine, unusual(folder, tokenizer))

    what = f"embedder {spec.max_length} {normalize} {choice}"
    return held(what, spec.model, lambda: model_folder(spec, context), context, read)
