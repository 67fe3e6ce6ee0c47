"""Batches with open words: who can learn from them, and what tags a word may have."""

from __future__ import annotations

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder


def has_partial_loss(decoder: type[Decoder]) -> bool:
    """Whether the class has a `partial_loss` that belongs to its `loss`: of the classes it derives
    from, the first that has either has both, or `partial_loss` alone.
    """
    for cls in decoder.__mro__:
        if "partial_loss" in vars(cls):
            return cls is not Decoder
        if "loss" in vars(cls):
            return False
    return False


def allowed_tags(tags: Tensor, known: Tensor, labels: int) -> Tensor:
    """(B, W, L) bool: the tags that a word may have, its own where that is `known` (B, W), else
    all; `tags` (B, W).
    """
    own = tags[..., None] == torch.arange(labels, device=tags.device)
    return own | ~known[..., None]
