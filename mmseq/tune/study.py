"""The study: trials and their scores in an SQLite file, kept by Optuna."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from mmseq.config.dotted import dotted
from mmseq.errors import UserError, one_line
from mmseq.tune.identity import comparable
from mmseq.tune.parameter import Choices, Parameter
from mmseq.tune.sampler import sampler_of
from mmseq.tune.search import Method
from mmseq.tune.space import Space

NAME = "mmseq"
BEGUN = "begun_with"
PRUNED = "pruned"


class Study:
    """The study in a file; what a method records is on disk when it returns.

    `begun` is all that makes trials comparable: a study begun with anything else is refused.
    `seed`: of the sampler. `UserError` for a file that is not a study, or is one of other things.
    """

    def __init__(
        self, file: Path, space: Space, method: Method, seed: int, begun: Mapping[str, Any]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        pruner = (
            optuna.pruners.MedianPruner(
                n_startup_trials=method.prune_after_trials,
                # Epochs are counted from 1.
                n_warmup_steps=method.prune_after_epochs + 1,
            )
            if method.pruner == "median"
            else optuna.pruners.NopPruner()
        )
        try:
            self._storage = optuna.storages.RDBStorage(
                f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": 60}}
            )
            self._study = optuna.create_study(
                storage=self._storage,
                sampler=sampler_of(method, seed),
                pruner=pruner,
                study_name=NAME,
                direction="maximize",
                load_if_exists=True,
            )
        # What Optuna and SQLAlchemy raise for a file that is something else.
        except Exception as error:
            raise UserError(
                f"{file}: no study can be kept there ({one_line(error)}); give another --output."
            ) from error
        self._require_begun(file, begun)

    def _require_begun(self, file: Path, begun: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(begun))
        then = self._study.user_attrs.get(BEGUN)
        if then is None and not self.trials():
            self._study.set_user_attr(BEGUN, now)
        elif then is None or comparable(then) != comparable(now):
            raise UserError(
                f"{file}: the study was begun with another {differences(then or {}, now)}; give "
                "another --output."
            )

    def close(self) -> None:
        """Let go of the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def trials(self) -> list[FrozenTrial]:
        """Every trial so far, by number."""
        return self._study.get_trials(deepcopy=False)

    def under_way(self) -> list[Trial]:
        """Trials that were begun and have not ended."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [Trial(self._study, trial._trial_id) for trial in running]

    def ask(self) -> Trial:
        """A new trial."""
        return self._study.ask()

    def settings(self, trial: Trial) -> dict[str, Any]:
        """The settings of a trial, drawn where they are not yet."""
        return self.space.draw(lambda parameter: _suggest(trial, parameter))

    def hear(self, trial: Trial, epoch: int, f1: float, epochs: int) -> str:
        """Record validation F1 after an epoch; returns why the trial should stop there, or nothing.

        An epoch that is done again after an interruption is answered as before.
        """
        reported = self.trials()[trial.number].intermediate_values
        if epoch not in reported:
            trial.report(f1, epoch)
        elif epoch < max(reported):
            return ""
        if PRUNED not in trial.user_attrs and epoch < epochs and trial.should_prune():
            trial.set_user_attr(PRUNED, epoch)
        if epoch >= trial.user_attrs.get(PRUNED, epochs + 1):
            return "pruned: its validation F1 is below the median of earlier trials"
        return ""

    def tell_finished(self, trial: Trial, f1: float, facts: Mapping[str, Any]) -> None:
        """A trial's run has ended with a best validation F1, of its own or because it was pruned.

        A pruned one counts with its last value.
        """
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        if PRUNED in trial.user_attrs:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, f1)

    def tell_failed(self, trial: Trial, error: str) -> None:
        """Record that a trial failed, and why."""
        trial.set_user_attr("error", error)
        self._study.tell(trial, state=TrialState.FAIL)

    def best(self) -> FrozenTrial | None:
        """The completed trial with the highest F1, of equals the first; None: none completed."""
        done = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        return max(done, key=lambda trial: (trial.value, -trial.number), default=None)


def settings_of(space: Space, trial: FrozenTrial) -> dict[str, Any]:
    """The settings of a trial of the past."""
    return {
        parameter.key: _value(parameter, trial.params[parameter.key])
        for parameter in space.parameters
        if parameter.key in trial.params
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs, by its place: ``config.train.epochs (3, now 4)``."""
    old, new = (comparable(begun) if begun else {} for begun in (then, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    # What is at its default is not among what is compared, but it has a value.
    old, new = dotted(then) | old, dotted(now) | new
    told = [f"{key} ({old.get(key, 'none')}, now {new.get(key, 'none')})" for key in keys[:4]]
    return ", ".join(told) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")


def _suggest(trial: Trial, parameter: Parameter) -> Any:
    key, values = parameter.key, parameter.values
    # A step that does not lead to `high` ends below it, of which Optuna would warn.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        drawn: Any
        if isinstance(values, Choices):
            drawn = trial.suggest_categorical(key, values.labels)
        elif values.whole:
            low, high, step = int(values.low), int(values.high), int(values.step or 1)
            drawn = trial.suggest_int(key, low, high, step=step, log=values.log)
        else:
            drawn = trial.suggest_float(
                key, values.low, values.high, step=values.step, log=values.log
            )
    return _value(parameter, drawn)


def _value(parameter: Parameter, drawn: Any) -> Any:
    """The TOML value that the storage's stands for."""
    if isinstance(parameter.values, Choices):
        return parameter.values.values[parameter.values.labels.index(drawn)]
    return drawn
