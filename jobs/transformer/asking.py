"""What a job asks: a trained model with its tokenizer and engine, which stays in memory between jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jobs.context import JobContext
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.models import load, unusual
from jobs.pretrained.sources import MODEL
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.asked import class_names_of, model_folder
from jobs.transformer.bulk.engine import Choice, Engine, classifying, embedding
from jobs.transformer.uses import Asking

_T = TypeVar("_T")


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

    return _held(f"classifier {spec.max_length} {choice}", spec, context, read)


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

    return _held(f"embedder {spec.max_length} {normalize} {choice}", spec, context, read)


def _held(what: str, spec: Asking[Any], context: JobContext, read: Callable[[Path], _T]) -> _T:
    if spec.model is not None:  # its files need not be fetched to know them
        names = (f"{MODEL}/{name}" for name in (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG))
        digest = context.digest_of(spec.model, *names)

        def fetch() -> tuple[_T, int]:
            folder = model_folder(spec, context)
            return read(folder), _size(folder)

        return context.in_memory(f"{what} {digest}", fetch)
    folder = model_folder(spec, context)
    return context.in_memory(f"{what} {_digest(folder)}", lambda: (read(folder), _size(folder)))


def _digest(folder: Path) -> str:
    """Changes with the files of a folder, which is large: they are not read for it."""
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return f"{folder.resolve()} {[(name, about.st_size, about.st_mtime_ns) for name, about in files]}"


def _size(folder: Path) -> int:
    """Bytes that a model takes in memory: its weights as Keras has them, and as its engine has them."""
    return 2 * (folder / WEIGHTS).stat().st_size
