"""The contract of a decoder's `partial_loss`, where it has one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.states import Targets
from mmseq.model.partial import allowed_tags
from mmseq.testing.contract import Judge
from mmseq.testing.gradients import gradients
from mmseq.testing.normaliser import Case
from mmseq.testing.world import LABELS

OPEN = -1
PARTLY = ((OPEN, OPEN, OPEN), (0, OPEN, OPEN), (OPEN, 2, OPEN), (1, OPEN, 4), (OPEN, 0, 2))
"""Tags of three words: all open; one known; between two types; an orphan, which BIO forbids"""
STEP = 1e-2
"""Of a difference quotient in 32 bits: its error is some 1e-4"""


def check_partial_loss(
    judge: Judge, decoder: Any, emissions: Tensor, tags: Tensor, mask: Tensor
) -> None:
    """On a ragged batch: the loss where every tag is known, whatever stands at padding; a sum over
    sentences; with a gradient that is its slope. Of three words, if the loss is a likelihood: the
    probability of all sequences that complete what is known, or of those that BIO allows.
    """
    every = allowed_tags(tags, mask, len(LABELS))
    with judge.running("partial_loss", emissions=emissions, allowed=every):
        found = decoder.partial_loss(emissions, every, mask)
    judge.tensor("partial_loss (a scalar)", "it", found, ())
    padded = every & mask[..., None]
    for allowed in (every, padded):
        judge.alike(
            "partial_loss (every tag known)",
            {"it": decoder.partial_loss(emissions, allowed, mask)},
            {"it": decoder.loss(emissions, tags, mask)},
            "what loss gives, whatever stands at padding",
        )
    known = mask & (torch.arange(mask.shape[1]) % 3 != 1)
    _check_sums(judge, decoder, emissions, torch.where(known, tags, 0), known, mask)
    _check_slope(judge, decoder, emissions, allowed_tags(tags, known, len(LABELS)), mask)
    with judge.running("partial_loss of bfloat16 emissions", "it computes in 32 bits"):
        half = decoder.partial_loss(emissions.bfloat16(), every, mask)
    judge.finite("partial_loss of bfloat16 emissions", "it", half)


def check_completions(judge: Judge, decoder: Any, case: Case) -> None:
    """Of one sentence of three words whose sequences are enumerated."""
    paths, likelihood, in_bio = case.paths, case.likelihood, case.allowed
    mask = torch.ones(1, 3, dtype=torch.bool)
    for partly in PARTLY:
        tags = torch.tensor([partly])
        allowed = allowed_tags(tags, tags != OPEN, len(LABELS))
        fits = ((tags == OPEN) | (paths == tags)).all(dim=1)
        sums = [likelihood[some].sum() for some in (fits, fits & in_bio) if some.any()]
        with judge.running("partial_loss", emissions=case.emissions, allowed=allowed):
            found = (-decoder.partial_loss(case.emissions, allowed, mask).double()).exp()
        right = min(sums, key=lambda some: float((found - some).abs()))
        told = " or ".join(f"{float(some):.4g}" for some in sums)
        judge.alike(
            f"partial_loss of {' '.join('?' if t == OPEN else LABELS[t] for t in partly)}",
            {"exp(-partial_loss)": found},
            {"exp(-partial_loss)": right},
            f"{told}, exp(-loss) summed over all sequences that complete it, or those of BIO",
        )


def _check_sums(
    judge: Judge, decoder: Any, emissions: Tensor, tags: Tensor, known: Tensor, mask: Tensor
) -> None:
    """Loss and count of the batch are the sums of its sentences'."""
    allowed = allowed_tags(tags, known, len(LABELS))
    alone = [[row] for row in range(len(mask))]
    parts = [decoder.partial_loss(emissions[i], allowed[i], mask[i]) for i in alone]
    whole, single = decoder.partial_loss(emissions, allowed, mask), torch.stack(parts).sum()
    right = f"the sum of theirs, {single.item():.4g} here (reduction='sum', no mean)"
    contract = "partial_loss (a sum)"
    judge.alike(
        contract, {"that of six sentences": whole}, {"that of six sentences": single}, right
    )
    targets = [
        Targets(mask[i], mask[i].any(dim=1), tags[i], known=known[i])
        for i in [list(range(len(mask))), *alone]
    ]
    count, *counts = [decoder.count(some) for some in targets]
    right = "an int, the sum of its sentences'"
    judge.require(
        type(count) is int and count == sum(counts),
        "count where tags are open (Targets.known)",
        f"{count!r}, sentence by sentence {counts}",
        right,
    )


def _check_slope(
    judge: Judge, decoder: Any, emissions: Tensor, allowed: Tensor, mask: Tensor
) -> None:
    """The gradient along drawn directions is the slope of the loss."""
    held = emissions.clone().requires_grad_()
    with torch.enable_grad():
        loss = decoder.partial_loss(held, allowed, mask)
        gradient = gradients(judge, loss, {"emissions": held})["emissions"]
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        way = torch.randn(emissions.shape, generator=draw) * mask[..., None]
        ahead, back = (
            decoder.partial_loss(emissions + side * STEP * way, allowed, mask)
            for side in (1.0, -1.0)
        )
        judge.alike(
            "partial_loss (its gradient)",
            {"its slope along a direction": (gradient * way).sum() / 10},
            {"its slope along a direction": (ahead - back) / (20 * STEP)},
            "the slope of the loss (no detach, .data or .item() on the way)",
        )
