"""What a training leaves, as a file, and what a finished training forecasts with."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jobs.context import JobContext
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput
from jobs.selfsupervised.series.methods.method import Array, Method
from jobs.selfsupervised.series.methods.ridge import Ridge
from jobs.selfsupervised.series.methods.simplest import Last, Linear, SeasonalNaive
from jobs.selfsupervised.series.spec import Method as Name
from jobs.selfsupervised.series.spec import TrainSeries

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        spec: of the training.
        columns: that are forecast.
        season: rows.
        method: that forecasts.
        ridge: ridge regression, where there were windows to fit it to.
        step: between rows of the table that it was trained on; None if an earlier version trained it.
        errors: on the validation part, by column, that intervals follow from; None likewise.
    """

    spec: TrainSeries
    columns: tuple[str, ...]
    season: int
    method: Method
    ridge: Ridge | None
    step: Step | None = None
    errors: tuple[int, ...] | None = None

    @property
    def name(self) -> Name:
        """Of the method."""
        return cast(Name, self.method.name)

    def check(self, table: Table, name: str) -> None:
        """Refuses a table without the columns, or with another step.

        Raises:
            BadInput: the text names the column that is missing, or both steps.
        """
        for column in (*self.columns, *self.spec.known):
            if column not in table.columns:
                raise BadInput(
                    f"{name!r} has no column {column!r}, which the model was trained on; its columns of "
                    f"numbers are {', '.join(table.columns)}"
                )
        # Of months the day does not matter: the first and the last one come as often.
        if self.step is not None and replace(table.step, day=self.step.day) != self.step:
            raise BadInput(
                f"the rows of {name!r} are {table.step} apart, and those that the model was trained on "
                f"{self.step}: give a table with such rows, or train a model on this one"
            )

    def arrays(self) -> dict[str, Array]:
        """All numbers that it consists of, by name."""
        found = {"offsets": np.asarray(self.method.offsets)}
        if self.ridge is not None:
            found |= {
                "ridge.weights": self.ridge.weights,
                "ridge.intercept": self.ridge.intercept,
                "ridge.offsets": np.asarray(self.ridge.offsets),
            }
        if self.method.name == "network":
            from jobs.selfsupervised.series.methods.networked import NetworkMethod, weights_of

            network = cast(NetworkMethod, self.method).network
            found |= {f"network.{n:03d}": weight for n, weight in enumerate(weights_of(network))}
        return found

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        about: dict[str, Any] = {
            "columns": self.columns,
            "season": self.season,
            "method": self.method.name,
            "horizon": self.method.horizon,
            "window": self.method.window,
            "penalty": None if self.ridge is None else self.ridge.penalty,
            "step": None if self.step is None else asdict(self.step),
            "errors": self.errors,
        }
        return bytes(
            save(
                {name: np.ascontiguousarray(a) for name, a in self.arrays().items()},
                {"series": json.dumps(about)},
            )
        )


def load(job_id: str, context: JobContext) -> Trained:
    """The methods of a finished job, built from its spec and filled from its safetensors file.

    Raises:
        BadInput: the job is no training on series, or its weights are not there or do not fit.
    """
    digest = context.digest_of(job_id, WEIGHTS)
    return context.in_memory(f"series {digest}", lambda: _loaded(job_id, context))


def _loaded(job_id: str, context: JobContext) -> tuple[Trained, int]:
    spec = context.spec_of(job_id)
    if not isinstance(spec, TrainSeries):
        raise BadInput(f"job {job_id} is a {spec.kind}, and this takes a {TrainSeries.kind}")
    try:
        about, arrays = _read(context.artifact_of(job_id, WEIGHTS))
        found = _built(spec, about, arrays)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the weights of job {job_id} cannot be read ({error}); train it again") from error
    return found, sum(array.nbytes for array in arrays.values())


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["series"])
        return about, {name: file.get_tensor(name) for name in sorted(file.keys())}


def _built(spec: TrainSeries, about: dict[str, Any], arrays: dict[str, Array]) -> Trained:
    horizon, window, levels = about["horizon"], about["window"], spec.quantiles
    ridge = None
    if about["penalty"] is not None:
        ridge = Ridge("ridge", horizon, window, levels, arrays["ridge.offsets"])
        ridge.weights, ridge.intercept = arrays["ridge.weights"], arrays["ridge.intercept"]
        ridge.penalty = about["penalty"]
    name, shared = about["method"], (horizon, window, levels, arrays["offsets"])
    method: Method
    if name == "network" and ridge is not None:
        from jobs.selfsupervised.series.methods.networked import restored

        weights = [arrays[each] for each in sorted(arrays) if each.startswith("network.")]
        method = restored(spec, ridge, arrays["offsets"], weights)
    elif name == "ridge" and ridge is not None:
        method = ridge
    elif name == "seasonal-naive":
        method = SeasonalNaive(name, *shared, season=about["season"])
    else:
        method = {"linear": Linear, "last": Last}[name](name, *shared)
    # Neither is there in what an earlier version has saved.
    step, errors = about.get("step"), about.get("errors")
    return Trained(
        spec,
        tuple(about["columns"]),
        about["season"],
        method,
        ridge,
        step=None if step is None else Step(**step),
        errors=None if errors is None else tuple(errors),
    )
