"""Fields of specs that say what a trained model's outputs are computed with."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.errors import InvalidSpec

Engine = Annotated[
    Literal["auto", "openvino", "tensorflow"],
    Field(description="auto = OpenVINO on a CPU if it is installed"),
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16", "int8"],
    Field(
        description="auto = bfloat16 where the processor calculates with it; int8 is faster and less exact, "
        "and needs OpenVINO"
    ),
]


def check(kind: str, engine: str, precision: str) -> None:
    """Refuses a precision that the engine does not have.

    Raises:
        InvalidSpec: 8 bits without OpenVINO.
    """
    if precision == "int8" and engine == "tensorflow":
        raise InvalidSpec(
            f"{kind}: precision='int8' needs OpenVINO, received it with engine='tensorflow': leave out "
            "one of them, or choose precision='bfloat16'"
        )
