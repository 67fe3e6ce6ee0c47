"""How far a run has come: what its checkpoints keep besides tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field

from mmseq.scoring.shapes import WholeScores
from mmseq.shapes import Amount, Closed, Text, Whole


class SavedBest(Closed):
    """`Best` as a checkpoint keeps it."""

    epoch: Whole
    f1: Annotated[float, Field(ge=-1)]
    valid: WholeScores | None


class Saved(Closed):
    """progress.json of a checkpoint: known keys alone, since what goes on from it has no other."""

    step: Whole
    epoch: Whole
    prepared: bool = False
    pictures: dict[Text, Whole] | None = None
    best: SavedBest
    sums: dict[Text, float] = Field(default={})
    items: dict[Text, Annotated[int, Field(ge=1)]] = Field(default={})
    sentences: Whole = 0
    seconds: dict[Text, Amount] = Field(default={})
    stop_reason: Text = ""
    callbacks: dict[Text, dict[Text, Any]]
    generators: list[list[Any]]
    """Of Python, a process each"""


class SavedPictures(Closed):
    """The same of a checkpoint from when the image encoder learns by itself."""

    step: Whole
    epoch: Whole
    generators: list[list[Any]]


@dataclass
class Best:
    """The best epoch so far, by validation F1; epoch 0: none yet."""

    epoch: int = 0
    f1: float = -1.0
    valid: dict[str, Any] | None = None


@dataclass
class Progress:
    """Counters of a run. All of it is JSON."""

    step: int = 0
    """Optimiser steps done"""
    epoch: int = 0
    """Rounds done: epochs, or what lies between two validations"""
    prepared: bool = False
    """The preparation phase is over"""
    pictures: dict[str, int] | None = None
    """What the image encoder has learned by itself: see `mmseq.training.pictures.Named`"""
    best: Best = field(default_factory=Best)
    sums: dict[str, float] = field(default_factory=dict)
    """Sum of each loss in the epoch under way"""
    items: dict[str, int] = field(default_factory=dict)
    """Number of items of each loss in it"""
    sentences: int = 0
    """Trained on so far, repetitions counted"""
    seconds: dict[str, float] = field(default_factory=dict)
    stop_reason: str = ""

    def add_losses(self, sums: Mapping[str, float], counts: Mapping[str, int]) -> None:
        """Take up a step's loss sums and counts."""
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.items[name] = self.items.get(name, 0) + counts[name]

    def means(self) -> dict[str, float]:
        """Mean of each loss over the epoch's items so far."""
        return {name: value / self.items[name] for name, value in self.sums.items()}

    def add_seconds(self, what: str, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def timing(self, before: Mapping[str, float]) -> dict[str, Any]:
        """What timing.json tells, with the seconds that things took `before` training."""
        training = self.seconds.get("training", 0.0)
        return {
            "seconds": {**before, **self.seconds},
            "sentences_per_second": self.sentences / training if training else 0.0,
        }

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Progress:
        """What `to_json` gave, of this version or an earlier one, once it is held to `Saved`."""
        known = {name: state[name] for name in cls.__dataclass_fields__ if name in state}
        return cls(**{**known, "best": Best(**state["best"])})
