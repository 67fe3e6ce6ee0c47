"""The contract of a fusion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from mmseq.contracts.states import ImageStates, PerWord, TextStates


@dataclass(frozen=True)
class Fused:
    """What a fusion gives: one vector a word, and views for auxiliary tasks."""

    states: Tensor
    """(B, W, F)"""
    views: Mapping[str, Tensor] = field(default_factory=dict)
    """(B, W, width) each, as announced by the fusion's `views`"""
    sentence_views: Mapping[str, Tensor] = field(default_factory=dict)
    """(B, width) each, as announced by the fusion's `sentence_views`"""


class Fusion(nn.Module, ABC):
    """Word and region vectors to one fused vector a word.

    Attention over no region contributes 0: a sentence without a picture gives the same whether
    its batch has pictures or not (`mmseq.masked_softmax` and `mmseq.attend` do that).
    """

    width: int
    """F; the constructor sets it"""
    views: Mapping[str, int] = {}
    """Further views offered to tasks: name -> width"""
    needs_images: ClassVar[bool] = True
    """False: it can be used without an image encoder, and then gets None for the pictures"""
    extras: ClassVar[Mapping[str, PerWord]] = {}
    """Fields of an example it reads from `TextStates.extras`"""
    sentence_views: Mapping[str, int] = {}
    """Views of whole sentences offered to tasks, such as how text and picture go together: name ->
    width. No view of words has such a name
    """

    @abstractmethod
    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        """(B, W, F) and the announced views. `images` is None without an image encoder."""
