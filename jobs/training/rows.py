"""Where the rows of a training lie: on the device, or, if they are too many for it, where they came from.

On the host, the rows of a block of steps are gathered while the block before is computed, and go to the
device together; a step then gathers its batch from the block exactly as it would from all rows. So the
program is the same but for the number of rows, and so is the result, bit for bit.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.datasets.mapped import RowReader
from jobs.training.passes import Passes

Array = np.ndarray[Any, Any]


class Selection:
    """Some rows of an array, read when they are asked for: `array[rows]` without a copy of it.

    Args:
        array: any (count, ...).
        rows: numbers of its rows, (chosen,).
    """

    def __init__(self, array: Array, rows: Array) -> None:
        self.array, self.rows = array, rows
        self.dtype = array.dtype
        self.shape = (len(rows), *array.shape[1:])
        self.nbytes = array.nbytes // max(1, len(array)) * len(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Array:
        found: Array = self.array[self.rows[index]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.array[self.rows], dtype)


#: What a training may be given, by name, all of the same length.
Data = Mapping[str, Array | Selection]

#: The rows of some steps on the device, (steps of a block * batch size, ...) of each array by its name. The
#: last block of an epoch has some that no step takes.
Block = Mapping[str, tf.Tensor]

#: The rows of a training stay on the device if they are at most such a share of what the job may hold; the
#: rest is for the network, its optimizer, TensorFlow itself, and what is made of a batch.
SHARE = 0.25
#: Files of at most such a share are read through their mapping, which is fastest; of larger ones nothing is
#: to stay in the memory of the job.
MAPPED_SHARE = 0.5
#: Bytes of a block: enough that handing it over costs little, and little beside what a slot has.
BLOCK = 16 << 20


def fits(data: Data, memory: int) -> bool:
    """Whether all rows may lie on the device of a job that may hold so many bytes."""
    return sum(array.nbytes for array in data.values()) <= SHARE * memory


class HostRows:
    """Gathers the rows of a training block by block, one block ahead.

    Args:
        data: the arrays.
        passes: how an epoch is dealt out in steps.
        order: of an epoch by its number, int32 (rows of its steps,); any thread may ask for it.
        memory: bytes that the job may hold.
    """

    def __init__(self, data: Data, passes: Passes, order: Callable[[int], Array], memory: int) -> None:
        self._data, self._order_of = data, order
        self._batch_size = batch_size = passes.batch_size
        self._steps_per_epoch = steps_per_epoch = passes.steps
        size = sum(array.nbytes for array in data.values())
        row = size // len(next(iter(data.values())))
        self.steps = min(max(1, BLOCK // max(1, row * batch_size)), steps_per_epoch)
        #: Where in its block each row of an epoch lies, int32 (rows of the steps,). A step looks there at its
        #: own place in the epoch: told where a block begins, XLA would compile a program for each.
        self.places = tf.range(steps_per_epoch * batch_size) % (self.steps * batch_size)
        self._order: tuple[int, Array] | None = None
        self._now: tuple[int, Block] | None = None
        self._ahead: tuple[int, Future[Block]] | None = None
        self._gatherer = ThreadPoolExecutor(1, thread_name_prefix="rows")
        small = size <= MAPPED_SHARE * memory
        self._readers = {name: None if small else RowReader.of(_whole(array)) for name, array in data.items()}

    def first(self, step: int) -> int:
        """The first step of the block that a step is in."""
        return step - step % self._steps_per_epoch % self.steps

    def end(self, step: int) -> int:
        """The step after the last one of the block that a step is in."""
        return min(self.first(step) + self.steps, (step // self._steps_per_epoch + 1) * self._steps_per_epoch)

    def block(self, step: int) -> Block:
        """The block that a step is in; the one after it is gathered from then on."""
        first = self.first(step)
        if self._now is None or self._now[0] != first:
            ahead, self._ahead = self._ahead, None
            future = ahead[1] if ahead and ahead[0] == first else self._gatherer.submit(self._gather, first)
            self._now = (first, future.result())
            following = self.end(step)
            self._ahead = (following, self._gatherer.submit(self._gather, following))
        return self._now[1]

    def close(self) -> None:
        """Ends the gathering."""
        self._gatherer.shutdown(wait=True, cancel_futures=True)
        self._now = self._ahead = None
        for reader in self._readers.values():
            if reader is not None:
                reader.close()

    def _gather(self, first: int) -> Block:
        epoch, position = divmod(first, self._steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self._order_of(epoch))
        begin = position * self._batch_size
        rows = self._order[1][begin : begin + (self.end(first) - first) * self._batch_size]
        return {name: self._gathered(name, array, rows) for name, array in self._data.items()}

    def _gathered(self, name: str, array: Array | Selection, rows: Array) -> tf.Tensor:
        # Always of the same shape, as XLA compiles a program for each.
        found = np.zeros((self.steps * self._batch_size, *array.shape[1:]), array.dtype)
        chosen = array.rows[rows] if isinstance(array, Selection) else rows
        if (reader := self._readers[name]) is not None:
            reader.read(chosen, found)
        else:
            # The mode: every row is there, and the usual one would gather into a copy first.
            np.take(_whole(array), chosen, axis=0, out=found[: len(rows)], mode="clip")
        return tf.constant(found)


def _whole(array: Array | Selection) -> Array:
    return array.array if isinstance(array, Selection) else array
