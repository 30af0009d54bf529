"""The model that a job asks: a decoder with its tokenizer, which stays in memory between jobs."""

from pathlib import Path

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.sources import folder_of
from jobs.training import machine
from jobs.transformer.decoder import folders
from jobs.transformer.decoder.generating import Generator
from jobs.transformer.decoder.texts import Texts
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


def generator(spec: AnyOfModel, context: JobContext, precision: str | None = None) -> Generator:
    """The model that a spec names.

    Args:
        spec: names it.
        context: has it.
        precision: what to calculate in, if that is settled already.

    Raises:
        BadInput: it cannot be had here, or is not what generates texts; the text says what to do.
    """
    precision = precision or machine.precision(spec.precision)
    what = f"generator {precision}"

    def read(folder: Path) -> tuple[Generator, int]:
        size = (folder / WEIGHTS).stat().st_size
        if size > context.memory:
            raise BadInput(
                f"{WEIGHTS} of {folder.name} has {size / 2**30:.1f} GiB, and the job may hold "
                f"{context.memory / 2**30:.1f}; take a smaller model, or a worker with more memory"
            )
        decoder = folders.read(folder)
        per_number = 4 if precision == "float32" else 2
        # What it leaves in memory: the weights, and caches of about their size.
        return Generator(decoder, Texts(folder), precision), 2 * per_number * decoder.layout.parameters()

    if spec.model is not None:  # its files need not be fetched to know them
        digest = context.digest_of(spec.model, *(f"{MODEL}/{name}" for name in FILES))
        model = spec.model
        return context.in_memory(f"{what} {digest}", lambda: read(model_folder(model, None, context)))
    folder = model_folder(None, spec.pretrained, context)
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    digest = f"{folder.resolve()} {[(name, about.st_size, about.st_mtime_ns) for name, about in files]}"
    return context.in_memory(f"{what} {digest}", lambda: read(folder))
