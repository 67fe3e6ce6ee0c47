"""Attention with keys and values in front that come from elsewhere, for any transformers model.

Models that look their attention function up by name (`transformers.AttentionInterface`) can be
given this one. It finds the prefixes in a context variable, since the models pass no arguments of
ours on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "mmseq-prefix"


@dataclass(frozen=True)
class Prefix:
    """Keys and values that stand before one layer's own; N rows of sub-words, p places."""

    keys: Tensor
    """(N, heads, p, width of a head)"""
    values: Tensor
    """(N, heads, p, width of a head)"""
    mask: Tensor
    """(N,) bool: the row has a prefix; without one its places are masked out"""


@dataclass(frozen=True)
class HeadShape:
    """Of one attention layer: number of heads of its keys and values, and their widths."""

    heads: int
    key: int
    value: int


_prefixes: ContextVar[Iterator[Prefix] | None] = ContextVar("prefixes", default=None)
_seen: ContextVar[list[HeadShape] | None] = ContextVar("seen", default=None)


@contextmanager
def prefixed(prefixes: Sequence[Prefix]) -> Iterator[None]:
    """Inside, the n-th attention layer that runs has the n-th prefix before its own keys."""
    token = _prefixes.set(iter(prefixes))
    try:
        yield
    finally:
        _prefixes.reset(token)


def install(model: nn.Module, ids: Sequence[int]) -> list[HeadShape]:
    """Let `model` attend with prefixes; the heads of each layer, in the order in which they run.

    `ids`: a sentence of sub-words, on which the model is run once to see its layers. The list is
    empty where the model does not look its attention up, and then nothing has changed.
    """
    AttentionInterface.register(NAME, attend_with_prefix)
    AttentionMaskInterface.register(NAME, _whole_mask)
    settable: Any = model
    settable.set_attn_implementation(NAME)
    seen: list[HeadShape] = []
    token, training = _seen.set(seen), model.training
    try:
        with torch.no_grad():
            model.eval()(input_ids=torch.tensor([list(ids)]))
    finally:
        _seen.reset(token)
        model.train(training)
    return seen


def attend_with_prefix(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """softmax(Q [phi_k ; K]^T / sqrt(d)) [phi_v ; V]: the library's own attention over more keys.

    `query`, `key`, `value` (N, heads, Q or K, d); `attention_mask` (N or 1, 1, Q, K) bool, or added
    to the scores. Gives (N, Q, heads, d). Dropout and scale are those that the layer asks for.
    """
    seen, prefixes = _seen.get(), _prefixes.get()
    if seen is not None:
        seen.append(HeadShape(key.shape[1], key.shape[3], value.shape[3]))
    if prefixes is not None:
        prefix = next(prefixes)
        places = prefix.keys.shape[2]
        attention_mask = _with_places(attention_mask, prefix.mask, places, query, key)
        key = torch.cat([prefix.keys.to(key.dtype), key], dim=2)
        value = torch.cat([prefix.values.to(value.dtype), value], dim=2)
    result, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return result, None


def _with_places(
    mask: Tensor | None, present: Tensor, places: int, query: Tensor, key: Tensor
) -> Tensor:
    """The mask (N, 1, Q, p + K): every sub-word may look at its row's prefix, if there is one."""
    rows, length = query.shape[0], query.shape[2]
    if mask is None:
        mask = torch.ones(rows, 1, length, key.shape[2], dtype=torch.bool, device=query.device)
    front = present[:, None, None, None].expand(-1, mask.shape[1], length, places)
    if mask.dtype != torch.bool:
        lowest = torch.finfo(mask.dtype).min
        front = torch.zeros_like(front, dtype=mask.dtype).masked_fill(~front, lowest)
    return torch.cat([front, mask.expand(rows, -1, length, -1)], dim=-1)


def _whole_mask(*sizes: Any, **options: Any) -> Tensor:
    """A mask even where all is allowed: what a layer may see (causal, near by) must be in it."""
    skipping = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    mask = sdpa_mask(*sizes, **{**options, **skipping})
    assert mask is not None
    return mask
