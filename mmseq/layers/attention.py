"""Attention that gives exactly 0 over nothing, so that a missing picture is a mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from mmseq.errors import UserError


def masked_softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the entries where `mask` is true; all zeros where none is.

    `scores` any shape, `mask` bool, broadcastable to it. Gradients are finite everywhere.
    """
    mask = mask.expand_as(scores)
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim) * mask


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Scaled dot-product attention, softmax(Q K^T / sqrt(d)) V; 0 where `mask` allows no key.

    `query` (B, m, Q, d), `key` and `value` (B, m, K, d); `mask` (B, K) bool, true at real keys.
    Raises `ValueError` for other shapes.
    """
    for name, given in (("query", query), ("key", key), ("value", value)):
        if given.dim() != 4:
            raise ValueError(f"attend: {name} is {tuple(given.shape)}, not (B, heads, length, d)")
    if mask is None:
        return scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    if mask.shape != (key.shape[0], key.shape[2]):
        right = (key.shape[0], key.shape[2])
        raise ValueError(f"attend: mask is {tuple(mask.shape)}, not (B, K) = {right}")
    some = mask.any(dim=1, keepdim=True)
    # A row without keys would be NaN (or, in some kernels, a mean over padding): let it attend
    # everywhere and clear the result.
    allowed = (mask | ~some)[:, None, None, :]
    result = scaled_dot_product_attention(query, key, value, attn_mask=allowed, dropout_p=dropout)
    return result * some[:, None, None, :]


def check_heads(owner: str, heads: int, width: int) -> None:
    """`UserError` where `heads` heads cannot share `width`; `owner`: the component's full name."""
    if width % heads:
        fitting = ", ".join(str(n) for n in range(1, min(width, 64) + 1) if width % n == 0)
        raise UserError(
            f"{owner}: heads = {heads} does not divide the text encoder's width {width}; "
            f"choose heads among {fitting}."
        )
