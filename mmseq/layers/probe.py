"""A linear classifier on fixed vectors: what can be read off them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

STEPS = 100
PENALTY = 1e-2
"""Of the squared weights, a vector's numbers having mean 0 and deviation 1"""


def linear_probe(vectors: Tensor, shares: Tensor) -> LinearProbe:
    """Multinomial logistic regression from `vectors` (N, E) to types (N, T) of which each vector
    has `shares` that add up to 1.

    Numbers are standardised over the N, weights penalised by their squares, and nothing is drawn.
    """
    vectors, shares = vectors.detach(), shares.detach()
    mean, deviation = vectors.mean(dim=0), vectors.std(dim=0, correction=0).clamp(min=1e-6)
    standard = (vectors - mean) / deviation
    weight = vectors.new_zeros(shares.shape[1], vectors.shape[1]).requires_grad_()
    bias = vectors.new_zeros(shares.shape[1]).requires_grad_()
    optimiser: Any = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = cross_entropy(standard @ weight.T + bias, shares) + PENALTY * weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    scaled = weight.detach() / deviation
    return LinearProbe(scaled, bias.detach() - scaled @ mean)


@dataclass(frozen=True)
class LinearProbe:
    """Scores (…, T) of vectors (…, E): `weight` (T, E), `bias` (T,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        return linear(vectors, self.weight, self.bias)
