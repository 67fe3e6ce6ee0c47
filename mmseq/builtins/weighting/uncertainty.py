"""Losses weighted by the noise that training ascribes to each task."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmseq.contracts.states import Sizes
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.errors import UserError
from mmseq.registry.ranges import Positive


class UncertaintyWeighting(Weighting):
    """Homoscedastic uncertainty: a trained variance for each task (Kendall et al. 2018).

    With s_i = log sigma_i^2 of every loss L_i present::

        total = sum_i exp(-s_i) * L_i + s_i / 2

    which is least at sigma_i^2 = 2 L_i. A loss's weight exp(-s_i) starts at its weight in the
    config. An absent loss contributes neither term, and its s_i stays.

    `learning_rate` of the s_i, on the schedule of all rates: Adam moves each by about the rate at a
    step, so that in the few hundred steps of a small data set a network's rate would leave the
    weights where they start. It and the configured weights must be above 0 (`UserError`).

    Source: Kendall, Gal and Cipolla 2018, in the form for classification.
    """

    def __init__(self, sizes: Sizes, *, learning_rate: Positive = 0.01) -> None:
        super().__init__()
        check_trained("uncertainty", sizes.losses)
        self.learning_rate = learning_rate
        # One parameter each, so that an absent loss's is not moved by the optimiser's momentum.
        self.log_variances = nn.ParameterDict(
            {name: nn.Parameter(-torch.tensor(float(w)).log()) for name, w in sizes.losses.items()}
        )

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        s = torch.stack([self.log_variances[name] for name in losses])
        weights = torch.exp(-s)
        total = (weights * torch.stack(list(losses.values())) + s / 2).sum()
        return Weighted(total, dict(zip(losses, weights.tolist(), strict=True)))


def check_trained(weighting: str, losses: Mapping[str, float]) -> None:
    """`UserError` for weights that cannot be trained, from a start of 0."""
    for name, weight in losses.items():
        if not weight > 0:
            raise UserError(
                f"weighting '{weighting}': aux.{name}.weight = {weight}; it must start above 0: "
                "raise it, or leave the task out."
            )
