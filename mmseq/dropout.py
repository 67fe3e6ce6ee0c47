"""Dropout at a fraction of its price on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEPS = 1 << 16
"""Values of the 16 random bits that decide on a number"""


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws four numbers at once.

    On a CPU torch draws 64 random bits for every number; 16 do. `p` is rounded to a 65536th, and
    what stays is scaled by the rounded share, so that the mean is exact. Elsewhere torch's own.
    """

    def forward(self, input: Tensor) -> Tensor:
        cut = round(self.p * STEPS)
        if not self.training or self.inplace or not input.is_cpu or not 0 < cut < STEPS:
            return super().forward(input)
        return input * _factors(input, cut)


def _factors(like: Tensor, cut: int) -> Tensor:
    """0 with probability `cut` / STEPS, otherwise what keeps the mean."""
    draws = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    drawn = draws.view(torch.int16)[: like.numel()].view(like.shape)
    return (drawn >= cut - STEPS // 2).to(like.dtype).mul_(STEPS / (STEPS - cut))


def quicken(module: nn.Module) -> None:
    """Every `nn.Dropout` in `module` becomes this one; subclasses stay what they are."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p, child.inplace).train(child.training))
