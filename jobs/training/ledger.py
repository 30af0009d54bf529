"""What the training loop knows by epoch. With the model's variables, it is all of a training's state."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.training.best import Best

Array = np.ndarray[Any, Any]
#: Names of the ledger's arrays begin like this; those of the model's variables do not.
PREFIX = "loop/"


class Ledger:
    """Means and judgements by epoch, and the best checkpoint so far.

    Args:
        epochs: of the whole training.
        steps_per_epoch: of each of them.
        metrics: names of what a step returns.
        judged: names of what may be returned at the end of an epoch.
        best: which checkpoint is the best one, if that is asked.
        patience: epochs without a better one after which it is time to end, if there is such a number.

    Attributes:
        history: each metric's mean, float32 (epochs, metrics), NaN for epochs to come.
        judged: each judged metric, float32 (epochs, judged metrics), NaN where there was none.
        rollbacks: how often the training went back to the best weights.
        best: the best checkpoint so far.
    """

    def __init__(
        self,
        epochs: int,
        steps_per_epoch: int,
        metrics: Sequence[str],
        judged: Sequence[str],
        best: Best | None,
        patience: int | None = None,
    ) -> None:
        self._patience = patience
        self._steps_per_epoch = steps_per_epoch
        self._metrics, self._judged, self._best = tuple(metrics), tuple(judged), best
        self.history = np.full((epochs, len(metrics)), np.nan, np.float32)
        self.judged = np.full((epochs, len(judged)), np.nan, np.float32)
        self.rollbacks = 0
        self.best: Checkpoint | None = None

    def arrays(self) -> dict[str, Array]:
        """The state for a checkpoint, copied: it stays as it is while the ledger fills up."""
        return {
            f"{PREFIX}history": self.history.copy(),
            f"{PREFIX}judged": self.judged.copy(),
            f"{PREFIX}rollbacks": np.array(self.rollbacks),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint.

        Raises:
            DamagedCheckpoint: it is of a training with other epochs or metrics; nothing is changed then.
        """
        for name, mine in self.arrays().items():
            if name not in checkpoint.arrays or checkpoint.arrays[name].shape != mine.shape:
                raise DamagedCheckpoint(f"the checkpoint does not fit the training: {name} is of another")
        self.history[:] = checkpoint.arrays[f"{PREFIX}history"]
        self.judged[:] = checkpoint.arrays[f"{PREFIX}judged"]
        self.rollbacks = int(checkpoint.arrays[f"{PREFIX}rollbacks"])
        self.best = checkpoint if checkpoint.step == self.best_step else checkpoint.best

    def enter(self, epoch: int, means: Mapping[str, float]) -> None:
        """Enters the means of an epoch, from 0."""
        self.history[epoch] = [means[name] for name in self._metrics]

    def judge(self, epoch: int, values: Mapping[str, float]) -> bool:
        """Enters the judgement of an epoch, from 0; whether it is the best one by now.

        Raises:
            ValueError: a name was not declared.
        """
        for name, value in values.items():
            if name not in self._judged:
                raise ValueError(
                    f"at_epoch_end returned {name!r}; declare it: judged={(*self._judged, name)}"
                )
            self.judged[epoch, self._judged.index(name)] = value
        return bool(values) and epoch == self.best_epoch

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best value so far, from 0; it follows from `judged` alone."""
        return self.best_of(self.judged)

    def best_of(self, judged: Array) -> int | None:
        """The epoch with the best value, from 0, if the judgements were these, float32 (epochs, metrics)."""
        if self._best is None:
            return None
        return self._best.epoch(judged[:, self._judged.index(self._best.metric)])

    @property
    def out_of_patience(self) -> bool:
        """Whether there has been no better epoch for too long; it follows from `judged` alone."""
        if self._patience is None or (best := self.best_epoch) is None:
            return False
        last = int(np.flatnonzero(~np.isnan(self._column))[-1])
        return last - best >= self._patience

    @property
    def best_step(self) -> int | None:
        """Steps done at the end of that epoch."""
        epoch = self.best_epoch
        return None if epoch is None else (epoch + 1) * self._steps_per_epoch

    @property
    def best_value(self) -> float | None:
        """The best value so far."""
        epoch = self.best_epoch
        return None if epoch is None else float(self._column[epoch])

    def by_name(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """History and judgements by the names of the metrics, each float32 (epochs,)."""
        return (
            {name: self.history[:, number] for number, name in enumerate(self._metrics)},
            {name: self.judged[:, number] for number, name in enumerate(self._judged)},
        )

    @property
    def _column(self) -> Array:
        assert self._best is not None  # noqa: S101 - asked only where there is a best
        column: Array = self.judged[:, self._judged.index(self._best.metric)]
        return column


def of_the_model(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a checkpoint that are variables of the model, without the ledger's."""
    return {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}
