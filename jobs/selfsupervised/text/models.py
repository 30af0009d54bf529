"""The models that jobs on masked words ask: of an earlier training, or a checkpoint."""

from pathlib import Path

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.masked import Masked, load
from jobs.pretrained.sources import folder_of

#: The folder of a model among the artifacts of its job.
MODEL = "model"
#: Those that its jobs read.
FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)


def folder_of_model(model: str | None, pretrained: str | None, context: JobContext) -> Path:
    """The folder of a model, in Hugging Face's format.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    if model is None:
        return folder_of(str(pretrained), context)
    return [context.artifact_of(model, f"{MODEL}/{name}").parent for name in FILES][-1]


def loaded(folder: Path, name: str) -> Masked:
    """A model that tells masked words.

    Raises:
        BadInput: it has no head for them.
    """
    found = load(folder, 0)
    if not found.has_head:
        raise BadInput(
            f"{name!r} has no head for masked words; train one with selfsupervised.text.train "
            f"--pretrained {name}"
        )
    return found
