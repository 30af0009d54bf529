"""Going on from another job's checkpoints: with all of its state, or with its weights alone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.extending.specs import TrainingSpec
from jobs.spec import JobSpec
from jobs.training.ledger import PREFIX, Ledger
from jobs.training.passes import Passes, Start, gone
from jobs.training.state import take_weights
from jobs.training.trainable import Trainable

Array = np.ndarray[Any, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Every:
    """At which epochs a training is judged and draws a sample, besides its last one.

    Attributes:
        judge: epochs between two judgements; 0 = none but the last.
        sample: epochs between two samples; 0 = none but the last.
    """

    judge: int = 1
    sample: int = 1

    def judges(self, epoch: int) -> bool:
        """Whether this epoch, from 1, is judged wherever the training ends."""
        return bool(self.judge) and epoch % self.judge == 0

    def samples(self, epoch: int) -> bool:
        """Whether this epoch, from 1, has a sample wherever the training ends."""
        return bool(self.sample) and epoch % self.sample == 0


def checkpoint_to_extend(
    start: Start, spec: JobSpec[Any], context: JobContext, every: Every, passes: Passes, ledger: Ledger
) -> Checkpoint | None:
    """The newest checkpoint of the job that the spec extends which this training would have had, too.

    The last epoch of the earlier training may have been judged only because it was the last. Where that made
    it the best one, the state goes back to a checkpoint before it. Curves and samples up to the checkpoint
    are taken over.

    Returns:
        The checkpoint, with room for the epochs of the ledger; None if the spec extends no job, or if none
        fits: then the training begins anew, and comes to the same.
    """
    if start.earlier is None or not isinstance(spec, TrainingSpec) or spec.extends is None:
        return None
    for found in start.earlier:
        if (fit := fitted(found, every, ledger)) is not None:
            log.warning("extends job %s from step %d", spec.extends, fit.step)
            context.adopt_reports(spec.extends, fit.step, lambda step: _sampled(step, passes, every))
            return fit
    log.warning("job %s has no checkpoint that a longer training would have had: begins anew", spec.extends)
    return None


def begin_with_weights(model: Trainable, spec: JobSpec[Any], context: JobContext) -> None:
    """Gives a built model the weights of the job that the spec starts with, if it names one of its kind.

    A kind that may start with a job of another kind has taken over what it can of its weights by itself.

    Raises:
        BadInput: the job keeps no checkpoint, or its model is another one.
    """
    if not isinstance(spec, TrainingSpec) or spec.start is None:
        return
    if context.spec_of(spec.start).kind != spec.kind:  # says so if there is no such job
        return
    found = next(iter(context.checkpoints_of(spec.start)), None)
    if found is None:
        raise BadInput(gone(spec.start, "start"))
    kept = found.best or found  # the weights that the job has left
    try:
        take_weights(model, kept.arrays)
    except DamagedCheckpoint as error:
        raise BadInput(f"field 'start': the model of job {spec.start} is another one: {error}") from None
    log.warning("begins with the weights of job %s at step %d", spec.start, kept.step)


def _sampled(step: int, passes: Passes, every: Every) -> bool:
    return step % passes.steps == 0 and every.samples(step // passes.steps)


def fitted(found: Checkpoint, every: Every, ledger: Ledger) -> Checkpoint | None:
    """The checkpoint as a training of so many epochs would have saved it; None if it would not have."""
    judged = found.arrays[f"{PREFIX}judged"]
    looked = np.flatnonzero(~np.isnan(judged).all(axis=1)) if judged.shape[1] else ()
    only_as_last = [epoch for epoch in looked if not every.judges(int(epoch) + 1)]
    if only_as_last and ledger.best_of(judged) in only_as_last:
        return None
    epochs = len(ledger.history)
    arrays = _lengthened(found.arrays, epochs)
    arrays[f"{PREFIX}judged"][only_as_last] = np.nan
    beside = found.best and replace(found.best, arrays=_lengthened(found.best.arrays, epochs))
    return replace(found, arrays=arrays, best=beside)


def _lengthened(arrays: Mapping[str, Array], epochs: int) -> dict[str, Array]:
    """With room for the epochs to come in what is kept by epoch."""
    longer = dict(arrays)
    for name in (f"{PREFIX}history", f"{PREFIX}judged"):
        array = np.full((epochs, *arrays[name].shape[1:]), np.nan, arrays[name].dtype)
        array[: len(arrays[name])] = arrays[name]
        longer[name] = array
    return longer
