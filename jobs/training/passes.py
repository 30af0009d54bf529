"""How the epochs of a training go over its rows, and by which rules a training goes on."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.context import JobContext
from jobs.errors import BadInput, InvalidSpec
from jobs.extending.specs import TrainingSpec
from jobs.spec import JobSpec

Array = np.ndarray[Any, Any]

#: Raised when a training of an equal spec comes to other weights than before. A checkpoint says by which
#: rules it was begun, and goes on by them, so that an update in the middle of it changes no bit of it.
#: 1 (a checkpoint that says nothing): rows that the batch size leaves over sit the epoch out; the weights of
#: classes count within a batch only. 2: every row comes in every epoch; they count over the whole training.
RULES = 2
#: What the number is called in the metadata of a checkpoint.
RULES_KEY = "rules"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Passes:
    """How an epoch is dealt out in steps that all have the same number of rows.

    Attributes:
        rows: to train on.
        batch_size: rows of a step.
        whole: whether every row comes in every epoch, the last step being filled up with the first rows of
            the epoch's order; else what the batch size leaves over sits the epoch out.
    """

    rows: int
    batch_size: int
    whole: bool = True

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.rows // self.batch_size) if self.whole else self.rows // self.batch_size

    @property
    def repeated(self) -> int:
        """Rows that come once more in an epoch, others in each."""
        return max(0, self.steps * self.batch_size - self.rows)

    @property
    def left_out(self) -> int:
        """Rows that sit an epoch out, others in each."""
        return max(0, self.rows - self.steps * self.batch_size)

    def filled(self, order: Array) -> Array:
        """As many rows as all steps of an epoch take, int32 (steps * batch_size,).

        Args:
            order: of the rows in the epoch, int32 (rows,).
        """
        return np.resize(order, self.steps * self.batch_size)

    def tell(self) -> None:
        """Says in the log what the batch size does not divide."""
        if self.repeated or self.left_out:
            number, what = (
                (self.repeated, "come twice in each epoch, to fill its last step")
                if self.repeated
                else (self.left_out, "sit each epoch out, as where this training was begun")
            )
            logger.info(
                "%d rows in %d steps of %d: %d of them %s, others every time",
                *(self.rows, self.steps, self.batch_size, number, what),
            )


@dataclass(frozen=True)
class Start:
    """Where a training begins: at the newest checkpoint of its job, or anew.

    Attributes:
        found: the checkpoint, if there is one.
        rules: by which it trains (`RULES`).
        earlier: where there is none yet, the checkpoints of the job that this one extends, the newest first;
            read one by one.
    """

    found: Checkpoint | None
    rules: int
    earlier: Iterator[Checkpoint] | None = None

    @classmethod
    def of(cls, context: JobContext, spec: JobSpec[Any] | None = None) -> Self:
        """Looks.

        Args:
            context: of the running job.
            spec: of the job, which may extend another one.

        Raises:
            DamagedCheckpoint: the checkpoint is of a later version, by rules that are not known here.
            BadInput: the spec extends a job that keeps no checkpoint, or that it cannot continue.
        """
        found, earlier = context.load_checkpoint(), None
        first = found
        if found is None and isinstance(spec, TrainingSpec) and spec.extends is not None:
            first, earlier = _to_extend(spec, context)
        rules = RULES if first is None else int(first.metadata.get(RULES_KEY, "1"))
        if not 1 <= rules <= RULES:
            raise DamagedCheckpoint(
                f"the checkpoint is of a training by the rules {rules}, and this version knows {RULES}: go "
                "on with the version that began it, or a later one"
            )
        return cls(found, rules, earlier)

    def passes(self, rows: int, batch_size: int) -> Passes:
        """How epochs go over so many rows."""
        return Passes(rows, batch_size, whole=self.rules >= 2)


def _to_extend(spec: TrainingSpec[Any], context: JobContext) -> tuple[Checkpoint, Iterator[Checkpoint]]:
    """The newest checkpoint of the job that is extended, and all of them, that one first."""
    job_id = str(spec.extends)
    try:
        spec.check_extends(context.spec_of(job_id), context.result_of(job_id))
    except InvalidSpec as error:
        raise BadInput(str(error)) from None
    found = iter(context.checkpoints_of(job_id))
    if (first := next(found, None)) is None:
        raise BadInput(gone(job_id, "extends"))
    return first, chain([first], found)


def gone(job_id: str, field: str) -> str:
    """What to say of a job that keeps no checkpoint."""
    return (
        f"job {job_id} keeps no checkpoint any more, and field {field!r} needs one: its checkpoints were "
        "deleted, or are damaged"
    )
