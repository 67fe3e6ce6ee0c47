"""Loss weightings whose weights are computed, not trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from mmseq.contracts.states import Sizes
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.registry.ranges import Positive


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Weighted:
    """The sum of the losses, each times its weight, as a weighting's `forward` gives it.

    `losses`: of each task in the batch its mean loss, a tensor without dimensions. `weights`: at
    least theirs; only theirs are reported.
    """
    total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
    return Weighted(total, {name: weights[name] for name in losses})


class FixedWeighting(Weighting):
    """The weighted sum of the losses, with the weights of the config."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.weights = dict(sizes.losses)

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        return weighted_sum(losses, self.weights)


class RampWeighting(Weighting):
    """Auxiliary weights rise linearly from 0 to those of the config; the main task's stays.

    `share`: of the training, in which they rise; counted from the step at which the first
    auxiliary loss appeared, since tasks may wait for the main task.
    """

    start: Tensor

    def __init__(self, sizes: Sizes, *, share: Annotated[float, Gt(0), Le(1)] = 0.2) -> None:
        super().__init__()
        self.share = share
        self.weights = dict(sizes.losses)
        # The progress at which the ramp begins; NaN: not yet.
        self.register_buffer("start", torch.tensor(math.nan))

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        if len(losses) > 1 and self.start.isnan():
            self.start.fill_(progress)
        done = 0.0 if self.start.isnan() else (progress - self.start.item()) / self.share
        factor = min(1.0, max(0.0, done))
        factors = {name: 1.0 if name == "main" else factor for name in losses}
        return weighted_sum(losses, {name: factors[name] * self.weights[name] for name in losses})


class DynamicAverageWeighting(Weighting):
    """Dynamic weight average: more weight to losses that fall slowly (Liu et al. 2019).

    With r_i = L_i(t-1) / L_i(t-2), means over the latest two epochs in which loss i was seen, of
    the K losses present in a step i has the weight::

        w_i = c_i * K * exp(r_i / T) / sum_j exp(r_j / T)

    c_i is its weight in the config, which the paper lacks. In the first two epochs in which a
    loss is seen, r_i = 1, and so after an epoch mean of 0. `temperature` (T): large values draw
    the weights together.

    Source: Liu, Johns and Davison 2019, section on the dynamic weight average.
    """

    means: Tensor

    def __init__(self, sizes: Sizes, *, temperature: Positive = 2.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.configured = dict(sizes.losses)
        # (losses, 2): the epoch mean before the last, and the last; NaN: not yet seen.
        self.register_buffer("means", torch.full((len(self.configured), 2), math.nan))

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        rates = dict(zip(self.configured, self._rates(), strict=True))
        present = torch.tensor([rates[name] / self.temperature for name in losses])
        shares = dict(zip(losses, present.softmax(dim=0).tolist(), strict=True))
        weights = {n: self.configured[n] * len(losses) * share for n, share in shares.items()}
        return weighted_sum(losses, weights)

    def end_epoch(self, means: Mapping[str, float]) -> None:
        for row, name in zip(self.means, self.configured, strict=True):
            if name in means:
                row[0] = row[1].clone()
                row[1] = means[name]

    def _rates(self) -> list[float]:
        """R of every configured loss."""
        return [
            1.0 if math.isnan(before) or before == 0 else last / before
            for before, last in self.means.tolist()
        ]
