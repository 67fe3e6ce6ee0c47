"""How long a run is, and when it is validated: its optimiser steps, cut into rounds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from mmseq.config.config import Config, TrainConfig
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.data.sample.cached import SAMPLE_EPOCHS
from mmseq.data.source import is_sample
from mmseq.errors import UserError
from mmseq.model.order import steps_in_epoch
from mmseq.processes import process_count

SHORTEST, LONGEST = 50, 500
"""Steps that an epoch counts as at least, and at most, where the user names no length"""
MOST_OFTEN = 5
"""At most so many times the text encoder's own epochs"""
FEWEST_ROUNDS, MOST_ROUNDS = 4, 40
"""Validations of a run whose length is given in steps"""


@dataclass(frozen=True)
class Rounds:
    """A round is what lies between two validations: an epoch, unless the length in steps makes less
    than 4 or more than 40 of them.
    """

    each: int
    """Steps of an epoch"""
    ends: tuple[int, ...]
    """The step at which each round ends"""

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.ends[-1]

    @property
    def epochs(self) -> int:
        """Passes over the training data, the last perhaps cut short."""
        return ceil(self.total / self.each)

    def steps(self, number: int) -> range:
        """The steps of a round, from 0."""
        return range(self.ends[number - 1] if number else 0, self.ends[number])

    def name(self, number: int, *, preparing: bool) -> str:
        """What the user reads: ``epoch 3/8``; `preparing`: before the auxiliary tasks begin."""
        kind = "epoch" if len(self.ends) == self.epochs else "part"
        alone = " (main task alone)" if preparing else ""
        return f"{kind} {number}/{len(self.ends)}{alone}"


def rounds_of(train: TrainConfig, sentences: int) -> Rounds:
    """Those of a run with as many training sentences whose length is settled."""
    each = steps_in_epoch(sentences, train, process_count())
    total = train.steps or _given(train) * each
    epochs = ceil(total / each)
    number = epochs
    if train.steps:
        number = min(total, max(FEWEST_ROUNDS, min(epochs, MOST_ROUNDS)))
    if number == epochs:
        ends = [min(each * (i + 1), total) for i in range(number)]
    else:
        ends = [round(total * (i + 1) / number) for i in range(number)]
    assert all(a < b for a, b in pairwise([0, *ends]))
    return Rounds(each, tuple(ends))


def _given(train: TrainConfig) -> int:
    """The number of epochs; 0 where it is left open."""
    return 0 if train.epochs == "auto" else train.epochs


def with_length(config: Config, sentences: int) -> Config:
    """The config with its length settled: epochs, or steps with epochs "auto". `UserError` where
    both are given.

    Left open it is the text encoder's number of epochs, or the sample's. Where its class sets none
    of its own, few or very many sentences make it steps: an epoch then counts as 50 at least and
    500 at most.
    """
    train = config.train
    if train.steps and _given(train):
        raise UserError(
            f"train.steps = {train.steps} and train.epochs = {train.epochs}: both say how long to "
            "train; leave one out (train.steps = 0, or train.epochs = auto)."
        )
    if train.steps or _given(train):
        return config
    if is_sample(config.data):
        return config.replaced({"train.epochs": SAMPLE_EPOCHS})
    encoder = config.component("text_encoder").entry.load()
    own: int = encoder.epochs
    each = steps_in_epoch(sentences, train, process_count())
    sets_its_own = next(c for c in encoder.__mro__ if "epochs" in vars(c)) is not TextEncoder
    if sets_its_own or SHORTEST <= each <= LONGEST:
        return config.replaced({"train.epochs": own})
    counted = max(SHORTEST, min(each, LONGEST))
    return config.replaced({"train.steps": min(own * counted, MOST_OFTEN * own * each)})
