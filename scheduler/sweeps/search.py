"""Which values a trial gets: Optuna's samplers, by ask and tell.

The state of a sampler is a pure function of the sweep's spec and of what it was asked and told, in order. So
a scheduler that takes over a sweep asks and tells once more, and goes on exactly.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from scheduler.sweeps.spaces import Choice, Floats, Integers
from scheduler.sweeps.sweep import SweepSpec

#: Trials below which importances say nothing.
_FEWEST = 8

logger = logging.getLogger(__name__)
Values = Mapping[str, Any]


class Search:
    """Asks for values, and is told what they came to.

    Args:
        spec: of the sweep.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self._distributions = {name: _distribution(one) for name, one in spec.space.items()}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            direction="minimize" if spec.direction == "min" else "maximize", sampler=_sampler(spec)
        )
        self._asked: list[optuna.Trial | None] = []  #: None: entered with other values than it asked for
        self._values: list[Values] = []
        self._told: set[int] = set()

    @property
    def asked(self) -> int:
        """How many trials were asked for."""
        return len(self._asked)

    def ask(self, stored: Values | None = None) -> Values:
        """The values of the next trial.

        Args:
            stored: what they were when they were asked for by another process; they stand.
        """
        trial = self._study.ask(self._distributions)
        asked = {name: _decoded(self._distributions[name], value) for name, value in trial.params.items()}
        if stored is not None and dict(stored) != asked:
            # Another version of Optuna asked for them.
            logger.warning("trial %d keeps its values, and this sampler would choose others", self.asked)
            self._study.tell(trial, state=TrialState.FAIL)
            self._asked.append(None)
            asked = dict(stored)
        else:
            self._asked.append(trial)
        self._values.append(asked)
        return asked

    def tell(self, number: int, value: float | None) -> None:
        """What a trial came to; None if it failed. Said again, it changes nothing."""
        if number in self._told:
            return
        self._told.add(number)
        if (trial := self._asked[number]) is not None:
            if value is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, value)
        elif value is not None:
            params = {
                name: _encoded(one, self._values[number][name]) for name, one in self._distributions.items()
            }
            self._study.add_trial(
                optuna.trial.create_trial(params=params, distributions=self._distributions, value=value)
            )


def importances(spec: SweepSpec, done: Sequence[tuple[Values, float]]) -> dict[str, float]:
    """How much of the variation among good trials each field explains, from 0 to 1; empty of too few.

    PED-ANOVA: Watanabe et al. 2023, https://arxiv.org/abs/2304.10255.

    Args:
        spec: of the sweep.
        done: values of trials, and what they came to.
    """
    if len(done) < _FEWEST or len({value for _, value in done}) < 2:
        return {}
    direction: Literal["minimize", "maximize"] = "minimize" if spec.direction == "min" else "maximize"
    study = optuna.create_study(direction=direction)
    distributions = {name: _distribution(one) for name, one in spec.space.items()}
    for values, value in done:
        params = {name: _encoded(one, values[name]) for name, one in distributions.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _sampler(spec: SweepSpec) -> BaseSampler:
    if spec.sampler == "random":
        return RandomSampler(seed=spec.seed)
    if spec.sampler == "grid":
        grid = {
            name: [_encoded(_distribution(one), value) for value in one.values()]
            for name, one in _listed(spec)
        }
        return GridSampler(grid, seed=spec.seed)
    return TPESampler(seed=spec.seed)


def _listed(spec: SweepSpec) -> list[tuple[str, Integers | Choice]]:
    return [(name, one) for name, one in spec.space.items() if not isinstance(one, Floats)]


def _distribution(one: Floats | Integers | Choice) -> BaseDistribution:
    if isinstance(one, Floats):
        return FloatDistribution(one.low, one.high, log=one.log)
    if isinstance(one, Integers):
        return IntDistribution(one.low, one.high, log=one.log, step=one.step)
    return CategoricalDistribution([json.dumps(value, sort_keys=True) for value in one.among])


def _encoded(distribution: BaseDistribution, value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(distribution, CategoricalDistribution) else value


def _decoded(distribution: BaseDistribution, value: Any) -> Any:
    return json.loads(value) if isinstance(distribution, CategoricalDistribution) else value
