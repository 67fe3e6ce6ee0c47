"""Callbacks: the history file, the log of conflicts, and early stopping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.builtins.callbacks.steplog import append, drop_after
from mmseq.contracts.callback import Callback, EpochEvent, RunAhead, StepEvent
from mmseq.registry.ranges import Count, Natural


class History(Callback):
    """Writes history.jsonl: a line every few steps and one after each epoch.

    `steps`: a line every `steps` optimiser steps (0: epochs only). Lines hold losses, weights,
    rates and validation scores, and no times, so that equal runs give equal files.
    """

    steers = False

    def __init__(self, *, steps: Natural = 10) -> None:
        self.steps = steps
        self.path = Path()

    def on_start(self, folder: Path, resumed_step: int) -> None:
        self.path = folder / "history.jsonl"
        drop_after(resumed_step, self.path)

    def on_step(self, event: StepEvent) -> str | None:
        if self.steps and event.step % self.steps == 0:
            append(
                self.path,
                {
                    "kind": "step",
                    "step": event.step,
                    "epoch": event.epoch,
                    "losses": dict(event.losses),
                    "weights": dict(event.weights),
                    "learning_rates": dict(event.learning_rates),
                    "gradient_norm": event.gradient_norm,
                },
            )
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        append(
            self.path,
            {
                "kind": "epoch",
                "step": event.step,
                "epoch": event.epoch,
                "preparing": event.preparing,
                "losses": dict(event.losses),
                "valid": event.valid,
                "best_epoch": event.best_epoch,
            },
        )
        return None


class Conflict(Callback):
    """Writes conflict.jsonl: how far each task pulls the encoder in the main task's direction.

    `steps`: a line every `steps` optimiser steps, with the cosine between the gradients of each
    task and of the main task on the text encoder's word states: 1 along, 0 across, -1 against.
    The text encoder must train. It changes nothing in the training.
    """

    steers = False

    def __init__(self, *, steps: Count = 10) -> None:
        self.steps = steps
        self.path = Path()

    def on_start(self, folder: Path, resumed_step: int) -> None:
        self.path = folder / "conflict.jsonl"
        drop_after(resumed_step, self.path)

    def idle(self, run: RunAhead) -> str | None:
        return None if run.tasks else "there is no auxiliary task to pull in another direction"

    def wants_cosines(self, step: int) -> bool:
        return step % self.steps == 0

    def on_step(self, event: StepEvent) -> str | None:
        if self.wants_cosines(event.step):
            record = {"step": event.step, "epoch": event.epoch, "cosines": dict(event.cosines)}
            append(self.path, record)
        return None


class EarlyStopping(Callback):
    """Stops when validation F1 has not risen for `patience` epochs.

    Epochs before the auxiliary tasks begin do not count; without a validation split it never
    stops, and says so.
    """

    def __init__(self, *, patience: Count = 3) -> None:
        self.patience = patience
        self.best = -1.0
        self.waited = 0

    def idle(self, run: RunAhead) -> str | None:
        if not run.valid:
            return "there is no validation split to stop by"
        if run.epochs <= self.patience:
            return f"its patience of {self.patience} epochs cannot run out in {run.epochs}"
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        if event.preparing or event.valid is None:
            return None
        if event.valid["f1"] > self.best:
            self.best, self.waited = event.valid["f1"], 0
            return None
        self.waited += 1
        if self.waited < self.patience:
            return None
        return f"validation F1 has not risen for {self.waited} epochs"

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.best = state.get("best", self.best)
        self.waited = state.get("waited", self.waited)
