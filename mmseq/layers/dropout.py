"""Dropout at a fraction of its cost on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

STEPS = 1 << 16
"""Values of the 16 random bits that decide on a number"""


def drop(values: Tensor, p: float) -> Tensor:
    """`torch.nn.functional.dropout` that draws four numbers at once.

    On a CPU torch draws 64 random bits for every number; 16 do. `p` is rounded to a 65536th, and
    what stays is scaled by the rounded share, so that the mean is exact. Elsewhere torch's own.
    """
    cut = round(p * STEPS)
    if not values.is_cpu or not 0 < cut < STEPS:
        return nn.functional.dropout(values, p)
    return values * _factors(values, cut)


class Dropout(nn.Dropout):
    """`nn.Dropout` by `drop`."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.inplace:
            return super().forward(input)
        return drop(input, self.p)


def _factors(like: Tensor, cut: int) -> Tensor:
    """0 with probability `cut` / STEPS, otherwise what keeps the mean."""
    # torch's generator gives the seed, a quicker one the numbers.
    generator = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
    draws = torch.from_numpy(generator.random_raw((like.numel() + 3) // 4).view(np.int16))
    drawn = draws[: like.numel()].view(like.shape)
    # Straight to numbers: by way of truth values it takes six times as long.
    kept = torch.ge(drawn, cut - STEPS // 2, out=torch.empty_like(like))
    return kept.mul_(STEPS / (STEPS - cut))


def quicken(module: nn.Module) -> None:
    """Every `nn.Dropout` in `module` becomes this one; subclasses stay what they are."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p, child.inplace).train(child.training))
