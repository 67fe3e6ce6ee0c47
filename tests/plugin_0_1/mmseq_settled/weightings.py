"""Weightings: one that trains and remembers, one that waits."""

import torch
from torch import nn

import mmseq


class NoiseScaled(mmseq.Weighting):
    """Each loss over a learned size of it, which begins at 1; the last means are remembered."""

    def __init__(self, sizes: mmseq.Sizes, *, learning_rate: mmseq.NonNegative = 5e-2) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.configured = dict(sizes.losses)
        self.logs = nn.Parameter(torch.zeros(len(self.configured)))
        self.register_buffer("means", torch.ones(len(self.configured)))

    def forward(self, losses, shared, progress):
        assert shared.dim() == 3
        assert 0 <= progress <= 1
        total, weights = 0.0, {}
        for place, (name, weight) in enumerate(self.configured.items()):
            if name in losses:
                factor = weight * (-self.logs[place]).exp() / (1 + self.means[place])
                total = total + factor * losses[name] + self.logs[place]
                weights[name] = factor.item()
        return mmseq.Weighted(total, weights)

    def end_epoch(self, means):
        for place, name in enumerate(self.configured):
            if name in means:
                self.means[place] = means[name]


class Late(mmseq.Weighting):
    """The config's weights, those of the tasks from the middle of the training on."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.configured = dict(sizes.losses)

    def forward(self, losses, shared, progress):
        late = {
            name: w * (progress >= 0.5 or name == "main") for name, w in self.configured.items()
        }
        return mmseq.weighted_sum(losses, late)
