"""The clustering losses as functions of vectors, their types and the centres.

`vectors` (N, F), `types` (N,) long, `centers` (K, F), `valid` (K,) bool: the centre exists. Every
vector's own centre exists. Each gives a scalar, the sum over the vectors; 0 for N = 0.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cosine_loss(vectors: Tensor, types: Tensor, centers: Tensor, valid: Tensor) -> Tensor:
    """Sum of |F - C_K| - mean over K' of cos(F - C_K, F - C_K'); a zero difference has cosine 0."""
    own = (vectors - centers[types])[:, None]
    apart = vectors[:, None] - centers
    product = _length(own) * _length(apart)
    some = product > 0
    # The guard stands inside the division too: 0 * inf in its gradient would be NaN.
    cosine = torch.where(some, (own * apart).sum(dim=2) / torch.where(some, product, 1), 0)
    return _length(own).sum() - _mean_of_others(cosine, types, valid).sum()


def margin_loss(
    vectors: Tensor, types: Tensor, centers: Tensor, valid: Tensor, margin: float
) -> Tensor:
    """Sum of |F - C_K| + mean over K' of max(0, margin - |F - C_K'|)."""
    inside = (margin - _length(vectors[:, None] - centers)).relu()
    own = _length(vectors - centers[types])
    return own.sum() + _mean_of_others(inside, types, valid).sum()


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the last dimension; the gradient at 0 is 0."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return length


def _mean_of_others(values: Tensor, types: Tensor, valid: Tensor) -> Tensor:
    """(N,): mean of `values` (N, K) over the existing centres but the own one; 0 without any."""
    others = valid & (torch.arange(len(valid), device=types.device) != types[:, None])
    return (values * others).sum(dim=1) / others.sum(dim=1).clamp(min=1)
