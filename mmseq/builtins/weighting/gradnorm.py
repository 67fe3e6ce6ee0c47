"""Weights losses so that their gradients have similar sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmseq.builtins.weighting.computed import weighted_sum
from mmseq.builtins.weighting.uncertainty import check_trained
from mmseq.contracts.states import Sizes
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.layers.gradients import shared_gradients
from mmseq.processes import all_sum, process_count
from mmseq.registry.ranges import NonNegative, Positive

LEAST = 0.01
"""No weight falls below this share of its configured one: all stay positive."""


class GradNormWeighting(Weighting):
    """GradNorm: trained weights under which tasks learn at a similar pace (Chen et al. 2018).

    With g_i the norm of loss i's gradient on the text encoder's states and means over the losses
    j present, w_i learns from the gradient of ::

        sum_i | w_i * g_i - target_i |,    target_i = mean_j(w_j * g_j) * r_i ** alpha
        r_i = (L_i / L_i(0)) / mean_j(L_j / L_j(0))

    with g and the targets held constant; the model learns from sum_i w_i * L_i. Weights start at
    those of the config, which must be above 0. After each step those of the losses in it are
    scaled so that all configured weights keep their sum; an absent loss keeps its weight. L_i(0)
    is the loss at its first appearance. A loss that is not above 0, or does not reach the states,
    has no say in the step.

    `alpha`: how strongly a task that lags behind is pulled. `learning_rate` (above
    0) of the weights, on the schedule of all rates. `UserError` otherwise, and where the text
    encoder does not train.

    Source: Chen et al. 2018, Algorithm 1, which takes the norm on the weights of the last shared
    layer; on the states it costs no pass through the encoder. With `train.accumulate` it is that
    of each micro-batch, over all processes.
    """

    first: Tensor
    present: Tensor

    def __init__(
        self, sizes: Sizes, *, alpha: NonNegative = 1.5, learning_rate: Positive = 0.025
    ) -> None:
        super().__init__()
        check_trained("gradnorm", sizes.losses)
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.configured = dict(sizes.losses)
        # One parameter each, so that an absent loss's is not moved by the optimiser's momentum.
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(float(w))) for name, w in sizes.losses.items()}
        )
        # In the config's order: L(0), NaN until it is known, and 1 for the latest call's losses.
        self.register_buffer("first", torch.full((len(self.configured),), math.nan))
        self.register_buffer("present", torch.zeros(len(self.configured)))

    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        self._renormalise()
        self.present.copy_(torch.tensor([float(name in losses) for name in self.configured]))
        weighted = weighted_sum(losses, self._values())
        norms, means = self._measure(losses, shared)
        ratios = self._ratios(means)
        able = [name for name in ratios if 0 < norms[name] < math.inf]
        # Alone, a loss is its own mean: what is left is rounding.
        if len(able) < 2:
            return weighted
        size = sum(weighted.weights[name] * norms[name] for name in able) / len(able)
        ratio = sum(ratios[name] for name in able) / len(able)
        targets = {name: size * (ratios[name] / ratio) ** self.alpha for name in able}
        unbalance = [(self.weights[name] * norms[name] - targets[name]).abs() for name in able]
        return Weighted(weighted.total + torch.stack(unbalance).sum(), weighted.weights)

    def _measure(
        self, losses: Mapping[str, Tensor], shared: Tensor
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Norm of each loss's gradient, and its mean, over all processes."""
        gradients = shared_gradients(losses, shared, "weighting 'gradnorm'")
        squares = torch.stack([gradient.square().sum() for gradient in gradients.values()])
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        squares, values = all_sum(torch.stack([squares, values])).cpu()
        # A process's mean stands for the whole, and so its gradient is too large by their number.
        norms = squares.sqrt() / process_count()
        means = values / process_count()
        return (
            dict(zip(losses, norms.tolist(), strict=True)),
            dict(zip(losses, means.tolist(), strict=True)),
        )

    def _ratios(self, means: Mapping[str, float]) -> dict[str, float]:
        """L / L(0) of the losses above 0; one that is new is its own L(0)."""
        ratios = {}
        for index, name in enumerate(self.configured):
            if 0 < means.get(name, 0.0) < math.inf:
                if self.first[index].isnan():
                    self.first[index] = means[name]
                ratios[name] = means[name] / self.first[index].item()
        return ratios

    @torch.no_grad()
    def _renormalise(self) -> None:
        """After the optimiser moved the weights of the latest losses: the old sum of all again."""
        moved = [n for n, p in zip(self.configured, self.present.tolist(), strict=True) if p]
        if not moved:
            return
        weights = self._values()
        resting = sum(weight for name, weight in weights.items() if name not in moved)
        raised = {name: max(weights[name], LEAST * self.configured[name]) for name in moved}
        factor = (sum(self.configured.values()) - resting) / sum(raised.values())
        for name in moved:
            self.weights[name].fill_(raised[name] * factor)

    def _values(self) -> dict[str, float]:
        values = torch.stack([self.weights[name].detach() for name in self.configured]).tolist()
        return dict(zip(self.configured, values, strict=True))
