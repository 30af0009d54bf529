"""The model that a job asks: a decoder with its tokenizer, which stays in memory between jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.context import JobContext, T
from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.sources import folder_of
from jobs.training import machine
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.decoder import folders
from jobs.transformer.decoder.cache import tensors
from jobs.transformer.decoder.generating import KINDS, Generator
from jobs.transformer.decoder.layout import Layout
from jobs.transformer.decoder.texts import Texts
from jobs.transformer.generation.rows import Teller
from jobs.transformer.generation.uses import AnyOfModel

#: The folder of a trained model among the artifacts of its job, and the files in it.
MODEL = "model"
FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)


def model_folder(model: str | None, pretrained: str | None, context: JobContext) -> Path:
    """The folder of a model: a training's if one is given, else a pretrained one.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    if model is None:
        return folder_of(pretrained or "", context)
    return [context.artifact_of(model, f"{MODEL}/{name}").parent for name in FILES][-1]


@dataclass(frozen=True)
class Told:
    """A decoder that tells how likely texts are.

    Attributes:
        layout: its sizes.
        texts: its tokenizer.
        teller: has its weights.
    """

    layout: Layout
    texts: Texts
    teller: Teller


#: Of a weight. With 8 bits the table of tokens is there a second time.
_BYTES = {"float32": 4, "bfloat16": 2, "int8": 2}


def generator(spec: AnyOfModel, context: JobContext, choice: Choice) -> Generator:
    """The model that a spec names, to generate with.

    Args:
        spec: names it.
        context: has it.
        choice: what to calculate with, and in.

    Raises:
        BadInput: it cannot be had here, or is not what generates texts; the text says what to do.
    """

    def read(folder: Path) -> tuple[Generator, int]:
        decoder = folders.read(folder)
        # What it leaves in memory: the weights, caches of about their size, and what OpenVINO has packed of
        # them for each of its two programs.
        copies = 4 if choice.library == "openvino" else 2
        made = Generator(decoder, Texts(folder), choice.precision, choice.library)
        return made, copies * _bytes(decoder.layout, choice.precision)

    return _held(f"generator {choice}", spec, context, read)


def told(spec: AnyOfModel, context: JobContext, precision: str) -> Told:
    """The model that a spec names, to measure texts with.

    Args:
        spec: names it.
        context: has it.
        precision: `auto`, `float32` or `bfloat16`.

    Raises:
        BadInput: it cannot be had here, or is not what generates texts; the text says what to do.
    """
    precision = machine.precision(precision)

    def read(folder: Path) -> tuple[Told, int]:
        decoder, kind = folders.read(folder), KINDS[precision]
        weights = tensors(decoder.weights, kind)
        teller = Teller(decoder.layout, lambda: weights, kind)
        return Told(decoder.layout, Texts(folder), teller), _bytes(decoder.layout, precision)

    return _held(f"teller {precision}", spec, context, read)


def _bytes(layout: Layout, precision: str) -> int:
    return _BYTES[precision] * layout.parameters()


def _held(what: str, spec: AnyOfModel, context: JobContext, read: Callable[[Path], tuple[T, int]]) -> T:
    """What is made of a model, once for all jobs of a process."""

    def checked(folder: Path) -> tuple[T, int]:
        size = (folder / WEIGHTS).stat().st_size
        if size > context.memory:
            raise BadInput(
                f"{WEIGHTS} of {folder.name} has {size / 2**30:.1f} GiB, and the job may hold "
                f"{context.memory / 2**30:.1f}; take a smaller model, or a worker with more memory"
            )
        return read(folder)

    if spec.model is not None:  # its files need not be fetched to know them
        digest = context.digest_of(spec.model, *(f"{MODEL}/{name}" for name in FILES))
        model = spec.model
        return context.in_memory(f"{what} {digest}", lambda: checked(model_folder(model, None, context)))
    folder = model_folder(None, spec.pretrained, context)
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    digest = f"{folder.resolve()} {[(name, about.st_size, about.st_mtime_ns) for name, about in files]}"
    return context.in_memory(f"{what} {digest}", lambda: checked(folder))
