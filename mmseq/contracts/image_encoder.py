"""The contract of an image encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor, nn


class ImageEncoder(nn.Module, ABC):
    """A picture to region vectors, in a frozen part that runs once per picture and the rest."""

    width: int
    """E; the constructor sets it"""
    learning_rate: float
    picture_epochs: int = 0
    """Epochs, before all others, in which its weights that train learn by themselves to name the
    types that the sentences of each picture have; then they stay as they are. 0: they learn with
    the rest, from sentences
    """
    offline: ClassVar[Mapping[str, Any]] = {}
    """As a text encoder's"""
    levels: tuple[int, ...] = ()
    """Widths of the pyramid levels it gives, if asked to"""
    whole_page: bool = False
    """True: pictures are resized without cropping, so that `grid` covers the page"""

    @classmethod
    def hub_models(cls, options: Mapping[str, Any]) -> Sequence[str]:
        """As a text encoder's"""
        return ()

    def rate_factors(self) -> Mapping[str, float]:
        """As a text encoder's"""
        return {}

    @property
    @abstractmethod
    def fingerprint(self) -> str | None:
        """Names all that `precompute` depends on (weights, transform); None: do not store."""

    @abstractmethod
    def transform(self, image: Image.Image) -> Tensor:
        """(3, H, W), one size for every picture. Runs on the CPU."""

    @abstractmethod
    def precompute(self, pixels: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to named tensors (N, …): the frozen part, run without gradient."""

    @abstractmethod
    def forward(self, precomputed: Mapping[str, Tensor]) -> Pictures:
        """The part that runs at each step."""

    def frame(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """x0 y0 x1 y1, in pixels, of the part that it sees of an upright picture of `size` (width,
        height): what `Pictures.grid` gives shares of. It reaches beyond the picture where this is
        padded. By default the whole.
        """
        width, height = size
        return (0.0, 0.0, float(width), float(height))

    def save_assets(self, folder: Path) -> None:  # noqa: B027
        """Write what rebuilding needs besides weights into `folder`."""


@dataclass(frozen=True)
class Pictures:
    """N pictures as an image encoder gives them; the engine gathers them by sentence."""

    regions: Tensor
    """(N, r, E)"""
    vector: Tensor
    """(N, E)"""
    grid: Tensor
    """(r, 4): x0 y0 x1 y1 of each region as shares of what the encoder sees: its `frame`"""
    levels: tuple[Tensor, ...] = ()
    """(N, C, h, w) each"""
