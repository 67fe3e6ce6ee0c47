"""The callback: stops when validation F1 is as high as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mmseq


class ExampleCallback(mmseq.Callback):
    """Stops when validation F1 has reached a target.

    `target`: F1, 0 to 100. `epochs`: how many epochs in a row must have reached it. Epochs of the
    preparation phase do not count; without a validation split it never stops.
    """

    def __init__(self, *, target: mmseq.NonNegative = 90.0, epochs: mmseq.Count = 1) -> None:
        self.target = target
        self.epochs = epochs
        self.reached = 0

    def on_epoch(self, event: mmseq.EpochEvent) -> str | None:
        if event.preparing or event.valid is None:
            return None
        self.reached = self.reached + 1 if event.valid["f1"] >= self.target else 0
        if self.reached < self.epochs:
            return None
        return f"validation F1 is {event.valid['f1']:.2f}, and {self.target:g} was wanted"

    def state(self) -> dict[str, Any]:
        return {"reached": self.reached}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.reached = state.get("reached", self.reached)
