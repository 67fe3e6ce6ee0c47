"""Loss weightings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mmseq.components import Sizes, Weighted, Weighting


class FixedWeighting(Weighting):
    """The weighted sum of the losses, with the weights of the config."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.weights = dict(sizes.losses)

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        weights = {name: self.weights[name] for name in losses}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        return Weighted(total, weights)
