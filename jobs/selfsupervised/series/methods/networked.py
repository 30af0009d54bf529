"""The network as a method: built, filled with trained weights, computed block by block."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.series.methods.method import Array, Method, Origins, Windows, are_few, quantiles_of
from jobs.selfsupervised.series.methods.network import Network, Sizes
from jobs.selfsupervised.series.methods.ridge import Ridge
from jobs.selfsupervised.series.methods.times import phases
from jobs.selfsupervised.series.spec import TrainSeries


@dataclass
class NetworkMethod(Method):
    """The trained network as a method.

    Attributes:
        network: what computes it.
    """

    network: Any = None
    _outputs: Any = None

    def forecast(self, windows: Windows) -> Array:
        """See `Method`."""
        origins = windows.origins
        known = origins.panel.ahead(origins.places, origins.channels, self.horizon)
        about = (np.nan_to_num(windows.means), windows.deviations, phases(origins), known)
        given = (windows.numbers, windows.seen, *about)
        outputs = self.network.computed(*(tf.constant(each, tf.float32) for each in given))
        self._outputs = np.asarray(outputs, np.float64)
        found: Array = self._outputs[:, 0]
        return found

    def quantiles(self, windows: Windows, forecast: Array) -> Array:
        """See `Method`: those that were computed with the forecast just now, moved."""
        found: Array = self._outputs[:, 1:] + self.moved(windows)
        return found

    def calibrate(self, origins: Origins, levels: tuple[float, ...]) -> None:
        """Moves each of its quantiles so that its share of rows that it did not learn from is below it."""
        self.levels, self.offsets = levels, np.zeros((len(levels), self.horizon))
        truths, (_, found) = origins.truths(self.horizon), self.predict(origins)
        spreads = self.spreads(origins)
        self.offsets = np.concatenate(
            [
                quantiles_of((truths - found[:, number]) / spreads, (level,))
                for number, level in enumerate(levels)
            ]
        )
        if are_few(truths):  # which is no reason to make narrower what was learnt from many
            outwards = np.sign(np.array(levels) - 0.5)[:, np.newaxis]
            self.offsets = np.maximum(self.offsets * outwards, 0.0) * outwards


def built(spec: TrainSeries, ridge: Ridge) -> Network:
    """The network before its first step, the same in every process."""
    keras.utils.set_random_seed(spec.seed)
    covariates = (len(ridge.weights) - ridge.window) // ridge.horizon
    return Network(spec, Sizes(ridge.window, ridge.horizon, covariates, spec.quantiles), ridge)


def weights_of(network: Network) -> list[Array]:
    """The weights, without what counts the steps of the training."""
    return [np.asarray(variable.value) for variable in network.trainable_variables]


def restored(spec: TrainSeries, ridge: Ridge, offsets: Array, weights: list[Array]) -> NetworkMethod:
    """The trained network.

    Raises:
        ValueError: the weights are of another one.
    """
    network = built(spec, ridge)
    variables = network.trainable_variables
    if [tuple(variable.shape) for variable in variables] != [weight.shape for weight in weights]:
        raise ValueError("they do not fit its spec")
    for variable, weight in zip(variables, weights, strict=True):
        variable.assign(weight)
    return NetworkMethod("network", ridge.horizon, ridge.window, spec.quantiles, offsets, network=network)
