"""The weighting: every loss counts as much as the main one did in the epoch before."""

from __future__ import annotations

from collections.abc import Mapping

import mmseq
import torch
from torch import Tensor


class ExampleWeighting(mmseq.Weighting):
    """Scales each loss to the size of the main loss, as the epoch before had them.

    With m_i the mean of loss i over that epoch and c_i its weight in the config::

        w_i = c_i m_main / m_i

    so that an auxiliary task of weight 0.5 has half the main task's share whatever the unit of its
    loss. A loss that has not been seen for a whole epoch has w_i = c_i.
    """

    factors: Tensor

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.configured = dict(sizes.losses)
        # m_main / m_i of every loss: a buffer, so that a resumed run keeps it.
        self.register_buffer("factors", torch.ones(len(self.configured)))

    def forward(
        self, losses: Mapping[str, Tensor], shared: Tensor, progress: float
    ) -> mmseq.Weighted:
        factors = dict(zip(self.configured, self.factors.tolist(), strict=True))
        weights = {name: self.configured[name] * factors[name] for name in losses}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        return mmseq.Weighted(total, weights)

    def end_epoch(self, means: Mapping[str, float]) -> None:
        for place, name in enumerate(self.configured):
            if means.get(name, 0.0) > 0:
                self.factors[place] = means["main"] / means[name]
