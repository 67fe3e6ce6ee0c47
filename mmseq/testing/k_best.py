"""The contract of a decoder's `k_best`, where it has one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmseq.testing.contract import Judge
from mmseq.testing.world import LABELS

K = 7
"""Sequences asked for: more than a sentence of one word has"""


def check_k_best(judge: Judge, decoder: Any, emissions: Tensor, mask: Tensor) -> None:
    """Of a ragged batch: different sequences in order, the first what `decode` gives, each with
    the probability that the loss gives it, if that is a likelihood, nothing at padding, -inf where
    there are no more.
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
            judge.alike(
                "k_best (log-probabilities)",
                {"their exponentials": logs[row, there[row]].exp()},
                {"their exponentials": (-losses).exp()},
                "exp(-loss) of the sequence",
            )


def check_best_of_all(
    judge: Judge, decoder: Any, emissions: Tensor, likelihood: Tensor, allowed: Tensor
) -> None:
    """Of one sentence: they are the most probable of all its sequences, whose `likelihood` is
    known, or of the `allowed` ones.
    """
    mask = torch.ones(emissions.shape[:2], dtype=torch.bool)
    found = decoder.k_best(emissions, mask, K)[1][0].double().exp()
    free, bound = (some.topk(K).values for some in (likelihood, likelihood[allowed]))
    best = min(free, bound, key=lambda some: float((found - some).abs().max()))
    right = f"{[round(p, 4) for p in best.tolist()]}, the most of all"
    judge.alike("k_best (probabilities)", {"they": found}, {"they": best}, right)
