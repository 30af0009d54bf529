"""What a checkpoint says of its head: which classes it tells apart, and whether it tells any."""

from pathlib import Path

from jobs.datasets.readable import encodable
from jobs.errors import BadInput
from jobs.pretrained.fields import Config, short
from jobs.pretrained.files import CONFIG


def has_head_for_texts(config: Config, architecture: str) -> bool:
    """Whether a head among the weights tells one class of several for a text, as far as config.json says."""
    architectures = config.get("architectures")
    named = not architectures or (isinstance(architectures, list) and architecture in architectures)
    return named and config.get("problem_type") in (None, "single_label_classification")


def classes_of(config: Config, folder: Path, architecture: str, outputs: int) -> tuple[str, ...]:
    """The names of the classes that a head tells apart, by number.

    Args:
        config: of the checkpoint.
        folder: of it, for errors.
        architecture: of a classifier of its family.
        outputs: of its head; 0 if there is none.

    Raises:
        BadInput: it is no head that tells one class of several for a text, or its names do not fit.
    """
    name, tune = folder.name, "fine-tune it first with transformer.finetune, and give that job as 'model'"
    if not outputs:
        raise BadInput(f"{name} has no head that tells classes apart; {tune}")
    architectures = config.get("architectures")
    if not has_head_for_texts({"architectures": architectures}, architecture):
        raise BadInput(
            f"{name} is a {short(architectures)}, and a text is classified by a {architecture}; {tune}"
        )
    if (problem := config.get("problem_type")) not in (None, "single_label_classification"):
        raise BadInput(
            f"{CONFIG} of {name} says problem_type={short(problem)}, whose outputs are no probabilities of "
            f"one class among several; allowed is single_label_classification, or {tune}"
        )
    if outputs < 2 or config.get("num_labels", outputs) != outputs:
        said = config.get("num_labels", outputs)
        raise BadInput(
            f"the number of outputs of {name} is {outputs} (num_labels {short(said)}), and to "
            f"tell classes apart takes as many as there are classes, 2 at least; {tune}"
        )
    labels = config.get("id2label")
    if labels is None:  # two classes that have no names of their own are not in config.json
        return tuple(f"LABEL_{number}" for number in range(outputs))
    named = {str(number): label for number, label in labels.items()} if isinstance(labels, dict) else {}
    if set(named) != {str(number) for number in range(outputs)}:
        raise BadInput(
            f"the head of {name} has {outputs} outputs, and its config.json names {len(named)} classes, "
            f"{short(sorted(named))}; mend its id2label: a name for each number from 0 to {outputs - 1}"
        )
    names = tuple(encodable(str(named[str(number)])) for number in range(outputs))
    if len(set(names)) < outputs or not all(isinstance(label, str | int) for label in named.values()):
        raise BadInput(
            f"the classes of {name} are {short(list(named.values()))}, and each needs a name of its own; "
            "mend the id2label of its config.json"
        )
    return names
