"""Fields that the specs of several trainings have, and what they are checked for."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.errors import InvalidSpec

Accumulate = Annotated[
    int,
    Field(
        ge=1, le=1024, description="gradient accumulation: parts that a batch is split into, to save memory"
    ),
]
LearningRate = Annotated[float, Field(gt=0, le=1, description="AdamW's peak learning rate")]
Schedule = Annotated[
    Literal["linear", "cosine", "constant"],
    Field(description="how the learning rate falls after the warm-up"),
]
Warmup = Annotated[
    float, Field(ge=0, lt=1, description="share of the steps in which the learning rate rises")
]
WeightDecay = Annotated[
    float, Field(ge=0, le=1, description="AdamW's weight decay; biases and normalisation weights are exempt")
]
ClipNorm = Annotated[
    float,
    Field(ge=0, le=1e6, description="gradient clipping: largest norm over all weights; 0 = no clipping"),
]
ClassWeights = Annotated[
    Literal["none", "balanced"],
    Field(description="balanced = rare classes weigh more, in inverse proportion"),
]
FrozenLayers = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        description="number of lowest layers that are frozen, with the embeddings; 0 = none",
    ),
]
Patience = Annotated[
    int | None, Field(ge=1, description="early stopping: epochs without a better one; by default never")
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(description="number format; auto = bfloat16 where the processor supports it"),
]
CheckpointSeconds = Annotated[
    float, Field(ge=0, le=24 * 3600, description="seconds between checkpoints while training")
]


def check_part(kind: str, field: str, value: float, counted: str = "rows") -> None:
    """Refuses a part of the data that is neither a share nor a number.

    Raises:
        InvalidSpec: it is 1 or more, and not whole.
    """
    if value >= 1 and not float(value).is_integer():
        raise InvalidSpec(
            f"{kind}: field {field!r} should be a share below 1 or a whole number of {counted}, "
            f"received {value}"
        )


def check_accumulate(kind: str, batch_size: int, accumulate: int) -> None:
    """Refuses batches that cannot be split evenly.

    Raises:
        InvalidSpec: `accumulate` does not divide the batch size.
    """
    if batch_size % accumulate:
        raise InvalidSpec(
            f"{kind}: field 'accumulate' should divide the batch size, {batch_size}, received {accumulate}"
        )


def rate_depends_on_epochs(schedule: str, warmup: float) -> str | None:
    """Why a learning rate follows from the number of epochs: see `TrainingSpec.depends_on_epochs`."""
    if schedule != "constant":
        return f"the learning rate falls over all steps (schedule={schedule!r})"
    if warmup:
        return f"the learning rate rises over a share of all steps (warmup={warmup})"
    return None
