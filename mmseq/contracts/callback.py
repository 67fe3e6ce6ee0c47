"""The contract of a callback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class StepEvent:
    """After an optimiser step."""

    step: int
    epoch: int
    losses: Mapping[str, float]
    """Mean of each loss over the step's items; absent ones left out"""
    weights: Mapping[str, float]
    learning_rates: Mapping[str, float]
    """Of each part of the model; the highest, where its parameters have several"""
    gradient_norm: float
    cosines: Mapping[str, float] = field(default_factory=dict)
    """Where a callback asked: cosine of each task's gradient with the main task's, on the text
    encoder's word states; tasks without a gradient there left out"""


@dataclass(frozen=True)
class EpochEvent:
    """After an epoch and its validation."""

    epoch: int
    step: int
    preparing: bool
    """An epoch of the preparation phase: no candidate for the best"""
    losses: Mapping[str, float]
    valid: Mapping[str, Any] | None
    """Scores as in metrics.json; None without a validation split"""
    best_epoch: int


@dataclass(frozen=True)
class RunAhead:
    """What is known of a run before its first step."""

    valid: bool
    """It has a validation split"""
    epochs: int
    """Validations at most, those of the preparation phase left out"""
    tasks: tuple[str, ...]
    """Names of the auxiliary tasks"""


class Callback:
    """Told what happens in training; sees numbers and paths. May ask to stop by a reason."""

    steers: ClassVar[bool] = True
    """False: it never asks to stop, so that runs with and without it are the same experiment"""

    def idle(self, run: RunAhead) -> str | None:
        """Why it will do nothing in that run, as in "there is no validation split to stop by": its
        user is told before training. None: it does what it is asked for. Called before `on_start`.
        """
        return None

    def on_start(self, folder: Path, resumed_step: int) -> None:
        """Training begins, or is resumed after `resumed_step` steps."""

    def wants_cosines(self, step: int) -> bool:
        """Does it read `StepEvent.cosines` of that step? Asked in every process: the answer may
        depend on the options and the step alone.
        """
        return False

    def on_step(self, event: StepEvent) -> str | None:
        """After each optimiser step; a returned reason stops training after the epoch's end."""
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        """After each epoch; a returned reason stops training."""
        return None

    def on_end(self, folder: Path) -> None:
        """Training has ended and the run folder is whole."""

    def close(self) -> None:
        """Called last, whether training has ended or was broken off by an error or Ctrl-C: let go
        of files and connections. `on_start` may not have been called.
        """

    def state(self) -> dict[str, Any]:
        """JSON to be kept in checkpoints."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up `state` when resuming."""
