"""Going back to the best weights when a training diverges, in place of giving it up."""

import logging

import keras

from jobs.errors import BadInput, Diverged
from jobs.training.callbacks import Advance
from jobs.training.ledger import Ledger, of_the_model
from jobs.training.state import restore
from jobs.training.trainable import Trainable

#: What diverges again and again at an eighth of its learning rate has another fault.
MOST_ROLLBACKS = 3

logger = logging.getLogger(__name__)


class Rollback:
    """Takes weights and optimizer slots of the best checkpoint, halves the learning rate, ends the epoch.

    Steps never go back, so that checkpoints stay in order and no random draw is made twice. The rest of an
    epoch that diverged in its middle is left out: where that is noticed depends on how the chunks were cut,
    the end of the epoch does not.

    Raises:
        BadInput: a learning rate follows a schedule, which cannot be halved.
    """

    def __init__(self, model: Trainable, ledger: Ledger, advance: Advance) -> None:
        for optimizer in model.optimizers():
            if not isinstance(optimizer.learning_rate, keras.Variable):
                raise BadInput(
                    f"the learning rate of {type(optimizer).__name__} follows a schedule, and a rollback "
                    'halves only a constant one: give it a number, or ask for on_divergence="fail"'
                )
        self._model, self._ledger, self._advance = model, ledger, advance

    def __call__(self, diverged: Diverged) -> None:
        """Goes back.

        Raises:
            Diverged: there is nothing to go back to, or it went back too often.
        """
        best, advance = self._ledger.best, self._advance
        if best is None:
            raise Diverged(f"{diverged}; there are no best weights to go back to") from diverged
        if self._ledger.rollbacks == MOST_ROLLBACKS:
            raise Diverged(
                f"{diverged}; it went back to its best weights {MOST_ROLLBACKS} times"
            ) from diverged
        self._ledger.rollbacks += 1
        rates = [float(optimizer.learning_rate) for optimizer in self._model.optimizers()]
        restore(self._model, of_the_model(best.arrays))
        for optimizer, rate in zip(self._model.optimizers(), rates, strict=True):
            optimizer.learning_rate.assign(rate / 2)
        advance.skip_to_epoch_end()
        self._model.sums.assign([0.0] * len(self._model.metric_names))
        self._model.step.assign(advance.step)
        advance.remark = f"back to the weights of step {best.step}, at half the learning rate"
        logger.warning(
            "%s; goes on from step %d, %s (%d of at most %d times)",
            diverged,
            advance.step,
            advance.remark,
            self._ledger.rollbacks,
            MOST_ROLLBACKS,
        )
