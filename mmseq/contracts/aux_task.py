"""The contract of an auxiliary task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Targets, Text


@dataclass(frozen=True)
class AuxOutput:
    """What a task gives for a batch."""

    loss: Tensor
    """Scalar: the SUM over the task's items; their number is the task's `count`"""
    emissions: Tensor | None = None
    """(B, W, L): the emissions as refined by the task, where it refines"""


class AuxTask(nn.Module, ABC):
    """A further loss on the model's views, at training; it may refine the emissions, always."""

    views: ClassVar[tuple[str, ...]] = ("fused",)
    """The views it reads: ``words``, ``fused``, one the fusion offers or a part of the text
    encoder's, each (B, W, width); one of whole sentences that the fusion offers, (B, width); or
    ``picture``, (B, E), the pooled picture, 0 without one. `Targets.picture` tells which sentences
    share one
    """
    lacking: ClassVar[Mapping[str, str]] = {}
    """What to tell a user where a view is missing, by view: why, and what to choose instead"""
    weight: ClassVar[float] = 1.0
    """Its weight in the total where the config names none"""
    refines: bool = False
    """True: it is also called in prediction, for its `AuxOutput.emissions`"""
    preparation: int = 0
    """Epochs of main-task training before the task can begin; then `observe` and `finish`"""
    additive: ClassVar[bool] = True
    """False: an item's loss depends on the batch's other items, as with negatives from the batch;
    otherwise the loss of a batch is the sum of its sentences' losses
    """
    extras: ClassVar[Mapping[str, PerWord | PerSentence | Text]] = {}
    """Fields of an example it reads from `Targets.extras` and, where they are text, from
    `Targets.texts`. Each sentence must have them, in valid, test and prediction too: but for those
    that are `training_only`, which are there in training alone, and which a task that refines
    cannot have. Two components that read one field must read it in the same way
    """
    partial: ClassVar[bool] = False
    """True: it heeds `Targets.known`, by which it reads `tags` at the words of `Targets.tagged`
    alone; otherwise training on open words is refused beside it
    """

    @abstractmethod
    def count(self, targets: Targets) -> int:
        """Number of the task's items in the batch; 0: absent. Known before the forward pass, so
        that sums are divided by the number over all accumulation steps and processes.
        """

    @abstractmethod
    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        """The loss summed over the items (0 in prediction, where `targets.tags` is None).

        `emissions` are (B, W, L), and 0 beside a decoder that reads the fused states.
        """

    def observe(self, views: Mapping[str, Tensor], targets: Targets) -> None:  # noqa: B027
        """Called with every training batch after the preparation epochs, without gradient.
        Accumulate in buffers: they are checkpointed.
        """

    def finish(self) -> None:  # noqa: B027
        """Called once after the last `observe`; `mmseq.all_sum` adds over processes."""

    @classmethod
    def check_fields(cls, example: Example) -> Mapping[str, Any]:
        """For the checks of the contract alone: fields of `extras` as the data would have them, for
        a sentence of theirs. What it leaves out is drawn within its bounds.
        """
        return {}
