"""The one resumable training loop, and what it consists of."""

from jobs.training.extending import Every
from jobs.training.loop import Trained, train
from jobs.training.passes import Passes, Start
from jobs.training.trainable import Array, Batch, Chunk, Trainable, epoch_order

__all__ = [
    "Array",
    "Batch",
    "Chunk",
    "Every",
    "Passes",
    "Start",
    "Trainable",
    "Trained",
    "epoch_order",
    "train",
]
