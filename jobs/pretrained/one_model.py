"""Specs that use a model: that of a finished job, or a checkpoint."""

from typing import Generic, Self

from pydantic import model_validator

from jobs.errors import InvalidSpec
from jobs.spec import JobSpec, ResultT


class OfOneModel(JobSpec[ResultT], Generic[ResultT]):
    """Has the fields `model` and `pretrained`, each None unless it is given, and takes one of the two."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        given = [name for name in ("model", "pretrained") if getattr(self, name) is not None]
        if len(given) != 1:
            received = "both" if given else "neither"
            raise InvalidSpec(
                f"{self.kind}: give one of the fields 'model' and 'pretrained', received {received}"
            )
        return self
