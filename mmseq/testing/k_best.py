"""The contract of a decoder's `k_best`, where it has one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmseq.testing.contract import Judge
from mmseq.testing.normaliser import ALL, ALLOWED, Case, Normaliser, enumerated
from mmseq.testing.world import LABELS

K = 7
"""Sequences asked for: more than a sentence of one word has"""
ENUMERATED = 3
"""Words up to which all sequences are looked at"""


def check_k_best(judge: Judge, decoder: Any, emissions: Tensor, mask: Tensor) -> None:
    """Of a ragged batch: different sequences in order, the first what `decode` gives, each with
    the probability that the loss gives it, if that is a likelihood (among all sequences, or among
    those that BIO allows), nothing at padding, -inf where there are no more.
    """
    with judge.running("k_best", emissions=emissions, mask=mask, k=K):
        paths, logs = decoder.k_best(emissions, mask, K)
    size = (len(mask), K, mask.shape[1])
    judge.require(
        isinstance(paths, Tensor) and paths.dtype == torch.long and paths.shape == size,
        "k_best (tags)",
        f"they are {getattr(paths, 'dtype', type(paths))} {tuple(getattr(paths, 'shape', ()))}",
        f"torch.int64 {size}",
    )
    there = torch.isfinite(logs)
    # Absent sequences are -inf; what else is not finite shows.
    given = logs.masked_fill(logs == -torch.inf, 0.0)
    judge.tensor("k_best (log-probabilities)", "it", given, size[:2])
    right = "0 at padding, and throughout where a sentence has no more sequences (-inf)"
    absent = ~(mask[:, None] & there[..., None])
    judge.require(not paths[absent].any(), "k_best (tags)", "tags at padding", right)
    best = decoder.decode(emissions, mask)
    found = f"{paths[:, 0].tolist()}, decode gives {best.tolist()}"
    judge.require(paths[:, 0].equal(best), "k_best (the first)", found, "what decode gives")
    falling = (logs[:, 1:] <= logs[:, :-1]).all() and (logs[:, 0] <= 1e-5).all()
    right = "they fall from the first, which is at most 0 (natural logarithms)"
    judge.require(falling, "k_best (log-probabilities)", f"{logs.tolist()}", right)
    for row, words in enumerate(mask.sum(dim=1).tolist()):
        seen = paths[row, there[row]]
        count, ways = len(seen), len(LABELS) ** words
        different = len(seen.unique(dim=0)) == count and 0 < count <= ways
        found = f"{seen[:, :words].tolist()} for {words} words"
        judge.require(different, "k_best (tags)", found, f"different sequences, at most {ways}")
        if decoder.likelihood:
            one, real = emissions[[row]], mask[[row]]
            losses = torch.stack([decoder.loss(one, tags[None], real) for tags in seen])
            given = logs[row, there[row]].double()
            judge.alike(
                "k_best (log-probabilities)",
                {"their exponentials": given.exp()},
                {"their exponentials": (_share(decoder, one[:, :words], given, losses)).exp()},
                f"exp(-loss) of the sequence, among {ALL} or {ALLOWED}",
            )


def _share(decoder: Any, emissions: Tensor, given: Tensor, losses: Tensor) -> Tensor:
    """What the log-probabilities of a sentence's sequences should be: -loss, or less the logarithm
    of what BIO allows, whichever is nearer. Of more words than can be enumerated that may be
    anything, the same for all.
    """
    allowed = min(0.0, float(-losses[0] - given[0]))
    if emissions.shape[1] <= ENUMERATED:
        case = enumerated(decoder, emissions)
        allowed = float(case.likelihood[case.allowed].sum().log())
    free = -losses.double()
    return min(free, free - allowed, key=lambda right: float((right - given).abs().max()))


def check_best_of_all(judge: Judge, decoder: Any, case: Case, shares: Normaliser) -> None:
    """Of one sentence: they are the most probable of all its sequences or of the allowed ones."""
    mask = torch.ones(case.emissions.shape[:2], dtype=torch.bool)
    found = decoder.k_best(case.emissions, mask, K)[1][0].double().exp()
    every, bound = case.shares[ALL], case.shares[ALLOWED]
    # What is given may be bound, and its probabilities be of all.
    given = every[case.allowed]
    free, within, among = (some.topk(K).values for some in (every, given, bound))
    likely = min(free, within, key=lambda some: float((found - some).abs().max()))
    right = {ALL: likely, ALLOWED: among}
    shares.hold("k_best", "k_best (probabilities)", found, right, "the most of")
