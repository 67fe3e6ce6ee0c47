"""The loss of a linear-chain CRF where tags are open: log Z - log Z(allowed).

Z(allowed) sums over the tag sequences that complete what is known, and of these over the ones that
BIO allows, where a sentence has any. The gradient of either logarithm is the expected count of
each tag and step among its sequences; the loss is the one of Tsuboi et al. 2008.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseq.builtins.decoding.crf import NEVER, LinearChain, by_word, full_precision
from mmseq.builtins.decoding.crf_fast import FastChain
from mmseq.builtins.decoding.posterior import LARGEST, posterior

Parts = tuple[Tensor, Tensor, Tensor]
"""Scores of beginning with each tag, (L,), of each step, (L, L), of each end, (L,)"""


def partial_loss(
    chain: LinearChain,
    emissions: Tensor,
    allowed: Tensor,
    mask: Tensor,
    steps: Tensor,
    starts: Tensor,
) -> Tensor:
    """Scalar: the sum of -log p(the sequences that `allowed` (B, W, L) lets through).

    `steps` (L, L) and `starts` (L,): what BIO forbids, -inf there and else 0.
    """
    given = full_precision(emissions)
    allowed = allowed | ~mask[..., None]
    bound, any_left = completions(allowed, mask, steps, starts)
    start, transitions, end = parts = chain.parts()
    total = _log_partition(chain, given, None, parts, mask)
    within = (start + starts, transitions + steps, end)
    for rows, ways, own in ((any_left, bound, within), (~any_left, allowed, parts)):
        if rows.any():
            total = total - _log_partition(chain, given[rows], ways[rows], own, mask[rows])
    return total.to(given)


def completions(
    allowed: Tensor, mask: Tensor, steps: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """The tags that each word has in some sequence that `allowed` and BIO let through: (B, W, L)
    bool, true at padding; and which sentences have such a sequence, (B,).
    """
    follow = (steps == 0).to(torch.float32)
    ways = allowed.clone()
    ways[:, 0] &= (starts == 0) | ~mask[:, :1]
    words = ways.shape[1]
    for word in range(1, words):
        reached = ways[:, word - 1].to(follow) @ follow > 0
        ways[:, word] &= reached | ~mask[:, word, None]
    for word in range(words - 2, -1, -1):
        onward = ways[:, word + 1].to(follow) @ follow.T > 0
        ways[:, word] &= onward | ~mask[:, word + 1, None]
    return ways, ways[:, 0].any(dim=1)


def _log_partition(
    chain: LinearChain, emissions: Tensor, ways: Tensor | None, parts: Parts, mask: Tensor
) -> Tensor:
    """Scalar: the sum over sentences of log Z, of the sequences of `ways` (B, W, L) alone, each of
    which is part of one.
    """
    if isinstance(chain, FastChain):
        width = _width(chain, emissions, ways, mask)
        if width <= (LARGEST if ways is None else LARGEST / 2):
            fast: Tensor = _LogPartition.apply(emissions, *parts, ways, mask, width)
            return fast
    return log_partition(emissions, ways, parts, mask).sum()


def _width(chain: FastChain, emissions: Tensor, ways: Tensor | None, mask: Tensor) -> float:
    """How much the logarithm of one step's factors may differ; infinite without 64 bits.

    Among all sequences a tag that vanishes has a neighbour that is nearly as good. Where few are
    left it may be the only one with a way on, so that emissions count as well.
    """
    if emissions.device.type == "mps":
        return float("inf")
    widest = chain.widest()
    if ways is not None:
        held = emissions.detach()
        high = held.masked_fill(~ways, -torch.inf).amax(dim=2)
        low = held.masked_fill(~ways, torch.inf).amin(dim=2)
        widest = widest + torch.where(mask, high - low, 0.0).max()
    # Looked at once: on a GPU every look waits for it.
    return widest.item()


class _LogPartition(torch.autograd.Function):
    """The sum of log Z in 64 bits; its gradient is the expected counts."""

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        start: Tensor,
        transitions: Tensor,
        end: Tensor,
        ways: Tensor | None,
        mask: Tensor,
        width: float,
    ) -> Tensor:
        scores = by_word(emissions, mask)
        if ways is not None:
            scores = scores.masked_fill(~ways.transpose(0, 1), -torch.inf)
        found = posterior(scores, start, transitions, end, mask, width)
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        rows = torch.arange(len(mask), device=mask.device)
        ctx.save_for_backward(
            found.tags.transpose(0, 1).to(emissions),
            found.tags[0].sum(dim=0).to(start),
            found.steps.to(transitions),
            found.tags[last, rows].sum(dim=0).to(end),
        )
        return found.log_partition.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * part for part in ctx.saved_tensors), None, None, None)


def log_partition(emissions: Tensor, ways: Tensor | None, parts: Parts, mask: Tensor) -> Tensor:
    """(B,): log Z in logarithms, for any difference of scores; 0 without words."""
    wide = torch.float32 if emissions.device.type == "mps" else torch.float64
    start, transitions, end = (part.to(wide).clamp(min=NEVER) for part in parts)
    scores = torch.where(mask[..., None], emissions.to(wide), 0.0)
    if ways is not None:
        # Finite: among -inf alone a logarithm has no gradient.
        scores = scores.masked_fill(~ways, NEVER)
    reached = start + scores[:, 0]
    for word in range(1, scores.shape[1]):
        onward = (reached[..., None] + transitions).logsumexp(dim=1) + scores[:, word]
        reached = torch.where(mask[:, word, None], onward, reached)
    return torch.where(mask[:, 0], (reached + end).logsumexp(dim=1), 0.0)
