"""Attention of transformers models, with dropout at a fraction of its cost on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mmseq.layers.dropout import drop

NAME = "mmseq"


def install(network: Any) -> None:
    """Let a model that would use torch's attention, and looks it up, use `attend` instead."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    if network.config._attn_implementation == "sdpa":
        network.set_attn_implementation(NAME)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """dropout(softmax(Q K^T x scaling)) V: (N, Q, heads, d).

    `query`, `key`, `value` (N, heads, Q or K, d); `attention_mask` (N or 1, 1, Q, K) bool, or added
    to the scores; `scaling` by default 1 / sqrt(d). With dropout, on a CPU, torch's kernel takes
    these products too, but draws its random numbers one by one. Without, elsewhere, and where more
    is asked for (causal without a mask, fewer heads of keys than of queries, a bias) attention is
    the library's.
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    alike = position_bias is None and query.shape[1] == key.shape[1]
    seen = attention_mask is not None or not causal
    if not (dropout and query.is_cpu and alike and seen):
        result, _ = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
            **options,
        )
        return result, None
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = query @ key.transpose(2, 3) * scale
    if attention_mask is not None:
        scores += _added(attention_mask, scores)
    shares = drop(scores.softmax(dim=-1), dropout)
    return (shares @ value).transpose(1, 2).contiguous(), None


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """A mask to add to scores: no gradient has to pass a filling."""
    if mask.dtype != torch.bool:
        return mask
    lowest = torch.finfo(like.dtype).min
    return like.new_zeros(mask.shape).masked_fill_(~mask, lowest)
