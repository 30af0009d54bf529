"""The base of every spec of a training: it may begin with another job's weights, or go on from its state."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Self

from pydantic import Field, model_validator

from jobs.errors import InvalidSpec
from jobs.names import JobField, JobName
from jobs.spec import JobResult, JobSpec, ResultT

#: A job of the same kind as the spec that names it.
OfThisKind = Annotated[JobName, JobField()]
#: A part of the data: a share below 1, or a number of rows, which an int64 holds and a sentence can show.
Part = Annotated[float, Field(ge=0, le=1_000_000_000)]
#: Fields that say where and how a training runs, and nothing of what comes out.
ELSEWHERE = ("limits", "pool", "checkpoint_seconds")


class TrainingSpec(JobSpec[ResultT], Generic[ResultT]):
    """Base of the specs of trainings. One that can be extended has `epochs` in itself and in its result."""

    start: OfThisKind | None = Field(
        default=None, description="begin with the weights of this finished job of the same kind"
    )
    extends: OfThisKind | None = Field(
        default=None,
        description="continue this finished job, whose spec is the same but for fewer epochs; see `triptych "
        "extend`",
    )

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        # With both, `start` is what the extended job began with.
        if self.start is not None and self.start == self.extends:
            raise InvalidSpec(
                f"{self.kind}: fields 'start' and 'extends' should be different jobs, received "
                f"{self.start!r} twice; leave out 'start' to continue the job with all its state"
            )
        return self

    def to_wire(self) -> dict[str, Any]:
        """The spec as JSON data; as before there were these fields, where they are not used."""
        return {
            name: value
            for name, value in super().to_wire().items()
            if name not in ("start", "extends") or value is not None
        }

    def depends_on_epochs(self) -> str | None:
        """What in the training follows from its number of epochs, which rules out extending it; or None."""
        return None

    def intervals(self, epochs: int) -> Mapping[str, int]:
        """Fields that follow from the number of epochs if they are not given, as they are for so many."""
        return {}

    def extended(self, job_id: str, epochs: int, result: JobResult | None = None) -> Self:
        """The spec of a training that continues a job of this spec.

        Args:
            job_id: the job.
            epochs: in all, those that it has done included.
            result: of the job; without it the number of its epochs is the spec's.

        Raises:
            InvalidSpec: it has as many epochs, or something in it follows from their number.
        """
        why = self.depends_on_epochs()
        if why is None and (rollbacks := getattr(result, "rollbacks", 0)):
            why = f"it went back to its best weights {rollbacks} times, and when it does may follow from that"
        if why is not None:
            raise InvalidSpec(
                f"{self.kind}: job {job_id} cannot be extended, since its course depends on the number of "
                f"epochs: {why}. To train its weights further with a schedule of its own, submit the kind "
                f"with start={job_id}"
            )
        had = self._epochs_done(job_id, result)
        if epochs <= had:
            raise InvalidSpec(
                f"{self.kind}: field 'epochs' should be more than the {had} that job {job_id} has, received "
                f"{epochs}"
            )
        chosen = {name: value for name, value in self.intervals(had).items() if getattr(self, name) is None}
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **chosen, "epochs": epochs, "extends": job_id})

    def check_extends(self, earlier: JobSpec[Any], result: JobResult | None) -> None:
        """Checks that this spec continues the job that it says it does.

        Args:
            earlier: the spec of that job.
            result: its result, if it has one.

        Raises:
            InvalidSpec: it is another training, or cannot be continued.
        """
        assert self.extends is not None  # noqa: S101 - asked only then
        if not isinstance(earlier, type(self)):
            raise InvalidSpec(
                f"{self.kind}: field 'extends' takes a job of kind {self.kind}; job {self.extends} is a "
                f"{earlier.kind}"
            )
        epochs = getattr(self, "epochs", None)
        if epochs is None and self.depends_on_epochs() is None:
            raise InvalidSpec(f"{self.kind}: field 'epochs' should be given with 'extends', received none")
        wanted = earlier.extended(self.extends, epochs or 0, result)
        for name in type(self).model_fields:
            mine, its = getattr(self, name), getattr(wanted, name)
            if name not in ELSEWHERE and mine != its:
                raise InvalidSpec(
                    f"{self.kind}: field {name!r} should be {its!r} as in job {self.extends}, which it "
                    f"extends, received {mine!r}; `triptych extend {self.extends} --epochs {epochs}` takes "
                    "over all fields"
                )

    def _epochs_done(self, job_id: str, result: JobResult | None) -> int:
        known = getattr(self, "epochs", None) or getattr(result, "epochs", None)
        if known is None:
            raise InvalidSpec(
                f"{self.kind}: job {job_id} cannot be extended before it has ended: its number of epochs is "
                "in its result"
            )
        return int(known)
