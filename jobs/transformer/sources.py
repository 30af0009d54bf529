"""Where a job on texts has its model from."""

from pathlib import Path

from jobs.context import JobContext
from jobs.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.sources import folder_of

#: The folder of a fine-tuned model among the artifacts of its job.
MODEL = "model"


def checkpoint_of(model: str | None, name: str, context: JobContext) -> Path:
    """The folder of a checkpoint: an earlier job's if one is given, else a pretrained one.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    if model is None:
        return folder_of(name, context)
    files = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
    return [context.artifact_of(model, f"{MODEL}/{name}").parent for name in files][-1]
