"""The model and the texts that a job asks about."""

from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.dividing.parts import Cuts
from jobs.pretrained.families import FAMILIES
from jobs.pretrained.fields import config_of
from jobs.pretrained.heads import classes_of
from jobs.pretrained.sources import checkpoint_of
from jobs.pretrained.tensors import Weights
from jobs.transformer.bulk.asked import Rows
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.windows import ends
from jobs.transformer.uses import Asking, ClassifyTexts, EmbedTexts


def cuts_of(spec: ClassifyTexts | EmbedTexts, context: JobContext, choice: Choice) -> Cuts:
    """The windows of a job over texts: see `jobs.dividing.parts`."""
    found = ends(Rows(spec, context), spec.max_length, spec.batch_size)
    return Cuts(found, choices={"library": choice.library, "precision": choice.precision})


def model_folder(spec: Asking[Any], context: JobContext) -> Path:
    """The folder of the checkpoint that a spec names, in Hugging Face's format.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    return checkpoint_of(spec.model, spec.pretrained or "", context)


def class_names_of(folder: Path) -> tuple[str, ...]:
    """The classes of a checkpoint, by number.

    Raises:
        BadInput: it tells none apart, or others than its config.json names, or computes no one class.
    """
    config = config_of(folder)
    family = FAMILIES[config["model_type"]]
    shape = Weights(folder).shapes.get(list(family.head)[-1] + ".weight", (0,))
    return classes_of(config, folder, family.architecture, shape[0])
