"""What passes between components: small frozen dataclasses of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """What a component must know of the others to build its layers."""

    labels: tuple[str, ...]
    """Tag names, index = id; ``O`` is first."""
    text: int = 0
    """D, the width of word vectors."""
    sentence: int = 0
    """Width of the text encoder's sentence vector; 0 where it has none."""
    image: int = 0
    """E, the width of region vectors; 0 without an image encoder."""
    levels: tuple[int, ...] = ()
    """Widths of the image encoder's pyramid levels, finest first."""
    whole_page: bool = False
    """The image encoder does not crop: `ImageStates.grid` covers the whole of a picture."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Widths of the text encoder's named parts (``word``, ``char``, …)."""
    views: Mapping[str, int] = field(default_factory=dict)
    """Widths of the views that tasks may read; ``words`` (D) and ``fused`` (F) always exist, and
    ``picture`` (E) where there is an image encoder
    """
    losses: Mapping[str, float] = field(default_factory=dict)
    """Configured weight of each loss; ``main`` is first."""
    sentence_views: Mapping[str, int] = field(default_factory=dict)
    """Widths of the fusion's views of whole sentences, which tasks may read too"""


@dataclass(frozen=True)
class PerWord:
    """What a component reads of each word beside the word itself: numbers, one entry a word."""

    size: int = 0
    """Numbers in an entry; 0: any, the same for all words"""
    low: float = -math.inf
    high: float = math.inf
    """A number outside low to high is an error that names the sentence"""
    training_only: bool = False
    """For a task that does not refine: only the training data have it, and only batches of them"""


@dataclass(frozen=True)
class PerSentence:
    """What a task reads of a sentence as a whole: a number, or a list of numbers."""

    size: int = 1
    """How many numbers; 0: any, the same for all sentences"""
    low: float = -math.inf
    high: float = math.inf
    """As of `PerWord`"""
    training_only: bool = False
    """As of `PerWord`"""


@dataclass(frozen=True)
class Text:
    """What a task reads of a sentence as text, such as a caption: a string, which may be empty."""

    training_only: bool = False
    """As of `PerWord`"""


@dataclass(frozen=True)
class ImageStates:
    """Pictures as the image encoder gives them, gathered by sentence.

    A sentence without a picture has an all-false row in `mask` and a zero `vector`; R is at
    least 1.
    """

    regions: Tensor
    """(B, R, E)"""
    mask: Tensor
    """(B, R) bool: a real region"""
    vector: Tensor | None = None
    """(B, E): pooled pictures, their mean where a sentence has several"""
    grid: Tensor | None = None
    """(B, R, 4): x0 y0 x1 y1 of each region as shares of its picture"""
    image_index: Tensor | None = None
    """(B, R) long: which of the sentence's pictures a region is from"""
    levels: tuple[Tensor, ...] = ()
    """Pyramid maps (B, C, h, w), mean over the sentence's pictures, on request"""

    @property
    def present(self) -> Tensor:
        """(B,) bool: the sentence has a picture."""
        return self.mask.any(dim=1)

    @property
    def pooled(self) -> Tensor:
        """(B, E): `vector`, or the mean over the real regions where the encoder gives none; 0
        without a picture.
        """
        if self.vector is not None:
            return self.vector
        number = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.regions.masked_fill(~self.mask[..., None], 0).sum(dim=1) / number


@dataclass(frozen=True)
class TextStates:
    """One vector a word, whatever the encoder works on inside."""

    words: Tensor
    """(B, W, D)"""
    mask: Tensor
    """(B, W) bool"""
    vector: Tensor | None = None
    """(B, width): the sentence, where the encoder announces such a state by its `sentence`"""
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """Named parts (B, W, width), as announced by the encoder's `parts`"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """As in `TextInputs`; the engine passes them on to the fusion"""


@dataclass(frozen=True)
class Targets:
    """What losses are computed against."""

    mask: Tensor
    """(B, W) bool: a real word"""
    has_image: Tensor
    """(B,) bool: the sentence has a picture"""
    tags: Tensor | None = None
    """(B, W) long, 0 at padding and at open words; None in prediction"""
    tokens: tuple[tuple[str, ...], ...] = ()
    """The words themselves"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Numbers that components asked for: (B, W, k) of each word, as in `TextInputs`; (B, k) of each
    sentence
    """
    picture: Tensor | None = None
    """(B,) long: equal for sentences of the batch that have the same pictures, counted from 0; -1
    without a picture
    """
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts that tasks asked for: B strings each"""
    known: Tensor | None = None
    """(B, W) bool: a real word whose tag is known, not open; None: all of them"""

    @property
    def tagged(self) -> Tensor:
        """(B, W) bool: the real words whose tags are known; others say nothing in `tags`."""
        return self.mask if self.known is None else self.known
