"""Draws that depend on the seed, the trial and the history alone."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from mmseq.tune.search import Method

Make = Callable[[int], BaseSampler]


class SeededSampler(BaseSampler):
    """Draws each parameter by itself, from random numbers of its trial's and its own.

    Optuna's samplers keep the state of their random numbers in memory, so that a study which goes
    on in another process would differ from an unbroken one.
    """

    def __init__(self, make: Make, seed: int) -> None:
        self._make = make
        self._seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        text = f"{self._seed} {trial.number} {param_name}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return self._make(seed).sample_independent(study, trial, param_name, param_distribution)


def sampler_of(method: Method, seed: int) -> BaseSampler:
    """The sampler that a search asks for.

    ``tpe``: the tree-structured Parzen estimator (Bergstra et al. 2011), one parameter at a time,
    trials under way counting as bad ones, so that several at a time do not try the same.
    """
    if method.sampler == "random":
        return SeededSampler(RandomSampler, seed)

    def make(own: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(
                seed=own,
                n_startup_trials=method.random_trials,
                multivariate=False,
                constant_liar=True,
            )

    return SeededSampler(make, seed)
