"""The contract of a text encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from mmseq.contracts.states import ImageStates, PerWord, TextStates


@dataclass(frozen=True)
class TextInputs:
    """A batch of sentences as a text encoder gets it."""

    tensors: Mapping[str, Tensor]
    """What the encoder's own `collate` made"""
    mask: Tensor
    """(B, W) bool: a real word"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Per-word fields a component asked for, padded with 0: (B, W, k), k = 1 for plain numbers"""


class TextEncoder(nn.Module, ABC):
    """Words to vectors. Sub-words and characters begin and end in here."""

    width: int
    """D; the constructor sets it"""
    sentence: int = 0
    """Width of `TextStates.vector`, the state of the whole sentence; 0: it gives none"""
    learning_rate: float
    """Rate of the encoder's weights; most encoders make it an option"""
    epochs: ClassVar[int] = 8
    """Epochs of training where the user names none. A class that does not set it gets more for few
    sentences, and fewer for very many
    """
    offline: ClassVar[Mapping[str, Any]] = {}
    """Options by which it takes packaged weights instead of a download, with their own rate; of a
    tuple each value will do, and the first is taken where it has another
    """
    parts: Mapping[str, int] = {}
    """Widths of the named parts of its `TextStates`. ``word``: words before they are put into
    context; ``char``: what their characters give; ``forward`` and ``backward``: states that have
    seen nothing after, and nothing before their word
    """
    extras: ClassVar[Mapping[str, PerWord]] = {}
    """Fields of an example it reads from `TextInputs.extras`"""
    needs_images: ClassVar[bool] = False
    """True: `forward` reads pictures (the image encoder runs first)"""

    @classmethod
    def hub_models(cls, options: Mapping[str, Any]) -> Sequence[str]:
        """Ids of the models of the Hugging Face Hub that an encoder with these options is made of,
        so that all that are missing can be named before any work; here none.
        """
        return ()

    def rate_factors(self) -> Mapping[str, float]:
        """Factors on `learning_rate`, by parameter name; parameters not named have 1."""
        return {}

    def embeddings(self) -> nn.Parameter | None:
        """The matrix whose rows are looked up for words or sub-words, which `train.adversarial`
        moves; None: there is none, and that setting is refused.
        """
        return None

    @abstractmethod
    def encode(self, tokens: Sequence[str]) -> Any:
        """One sentence in the encoder's own form; computed once and kept. At least one word."""

    @abstractmethod
    def collate(self, encoded: Sequence[Any]) -> Mapping[str, Tensor]:
        """A batch of `encode` results, padded. Runs on the CPU."""

    def length(self, encoded: Any, words: int) -> int:
        """How long the encoder finds a sentence: those of like length make a batch, so that little
        of it is padding. `encoded`: what `encode` gave; `words`: their number, the default.
        """
        return words

    @abstractmethod
    def forward(self, inputs: TextInputs, images: ImageStates | None) -> TextStates:
        """One vector for every word; the padding may hold anything finite."""

    def save_assets(self, folder: Path) -> None:  # noqa: B027
        """Write what rebuilding needs besides weights (tokenizer, structure) into `folder`."""
