"""How good a classifier is, as data."""

from pydantic import Field

from jobs.spec import Frozen


class ClassMetrics(Frozen):
    """How well one class is told from the others."""

    precision: float = Field(description="share of the texts called so that are")
    recall: float = Field(description="share of the texts that are so that are called so")
    f1: float = Field(description="harmonic mean of the two")
    count: int = Field(description="texts of this class")


class Scores(Frozen):
    """How good a classifier is on texts it was not trained on."""

    rows: int = Field(description="texts looked at")
    loss: float = Field(description="cross-entropy, in nats")
    accuracy: float = Field(description="share of the texts whose most probable class is theirs")
    macro_f1: float = Field(description="mean of the classes' F1, each class counting the same")
    calibration_error: float = Field(description="expected calibration error, 15 bins of equal width")
    classes: dict[str, ClassMetrics] = Field(description="by name of the class")
    confusion: list[list[int]] = Field(description="texts by class (row) and predicted class (column)")
