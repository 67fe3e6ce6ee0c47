"""The contract of a weighting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Weighted:
    """What a weighting gives."""

    total: Tensor
    """Scalar to call backward on"""
    weights: Mapping[str, float]
    """Weight of each loss at this step, for the log"""


class Weighting(nn.Module, ABC):
    """Several losses to one. Absent losses are not in `losses`.

    Its parameters are trained with the model's, without weight decay and apart from the limit on
    the gradient norm; what else it must remember belongs in buffers, which are checkpointed. In
    several processes each calls it equally often, with the same names.
    """

    learning_rate: float | None = None
    """Rate of its own parameters; None: `train.learning_rate`"""

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        """`losses`: mean of each, scalar; `shared` (B, W, D): the text encoder's states;
        `progress`: share of the training done, 0 to 1.

        Called for each micro-batch: a process's means are scaled so that their average over all
        micro-batches and processes is the step's, and the totals are averaged the same way.
        """

    def end_epoch(self, means: Mapping[str, float]) -> None:  # noqa: B027
        """Called in every process after each epoch. `means`: of each loss seen in the epoch, over
        all items of all processes.
        """
