"""What a chain says of a batch's tag paths, all of them or those that it allows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmseq.builtins.decoding.posterior import posterior

LEAST = 1e-200
"""Of a scaled sum below it not all that counts need have been in range. Messages grow by at most L
a word between two scalings, and what float64 drops is below 1e-308: of a sum above `LEAST` that is
nothing."""

SHRINKING = 10.0
"""Logarithm by which a word that prefers what is forbidden may shrink the messages, over and above
transitions: they are scaled the more often. What shrinks more is computed in logarithms."""


class Paths(NamedTuple):
    """A batch's distribution over tag paths."""

    log_partition: Tensor
    """(B,): log Z, 0 without words"""
    tags: Tensor
    """(W, B, L): probability of each tag, 0 at padding"""
    onward: Tensor
    """(W - 1, B, L): probability of each tag of the next word, given this word's among the tags
    that were asked about; empty where none were"""


def all_paths(
    scores: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    mask: Tensor,
    spread: float,
    tags: Tensor | None = None,
) -> Paths:
    """As `posterior` takes them; `tags` (B, W) are asked about."""
    found = posterior(scores, start, transitions, end, mask, spread)
    if tags is None:
        return Paths(found.log_partition, found.tags, found.behind[:0])
    ways = _ways(found.behind, transitions, tags)
    return Paths(found.log_partition, found.tags, ways / ways.sum(dim=2, keepdim=True))


def allowed_paths(
    scores: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    mask: Tensor,
    spread: float,
    tags: Tensor | None = None,
) -> Paths:
    """The same of a chain in which some starts and steps cannot be, and are -inf; `spread` is that
    of the others.

    In probabilities a word's best tag may be one that no path reaches, and all that can be may
    vanish beside it: such sentences are computed in logarithms.
    """
    found = posterior(scores, start, transitions, end, mask, spread + SHRINKING)
    real = mask.T
    kept = _in_range(found.sums, real)
    log_partition, chances, onward = found.log_partition, found.tags, found.behind[:0]
    if tags is not None:
        ways = _ways(found.behind, transitions, tags)
        sums = ways.sum(dim=2, keepdim=True)
        kept &= _in_range(sums[..., 0], real[1:])
        onward = ways / sums
    if not kept.all():
        rows = (~kept).nonzero()[:, 0]
        some = None if tags is None else tags[rows]
        exact = paths_in_logarithms(scores[:, rows], start, transitions, end, mask[rows], some)
        log_partition[rows], chances[:, rows] = exact.log_partition, exact.tags
        if tags is not None:
            onward[:, rows] = exact.onward
    return Paths(log_partition, chances, onward)


def paths_in_logarithms(
    scores: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    mask: Tensor,
    tags: Tensor | None = None,
) -> Paths:
    """The same by log-sum-exp: several times slower, whatever the scores."""
    start, transitions, end = (part.detach().to(scores) for part in (start, transitions, end))
    real = mask.T
    forward, ends = [start + scores[0]], scores + end
    for word in scores[1:]:
        forward.append((forward[-1][..., None] + transitions).logsumexp(dim=1) + word)
    # Of a word and all behind it.
    behind = [ends[-1]]
    for word in range(len(scores) - 2, -1, -1):
        further = scores[word] + (transitions + behind[-1][:, None]).logsumexp(dim=2)
        behind.append(torch.where(real[word + 1, :, None], further, ends[word]))
    backward = torch.stack(behind[::-1])
    log_partition = (start + backward[0]).logsumexp(dim=1)
    chances = (torch.stack(forward) + backward - scores - log_partition[:, None]).exp()
    onward = backward[:0]
    if tags is not None:
        # NaN where nothing can follow.
        onward = (transitions[tags.T[:-1]] + backward[1:]).softmax(dim=2).nan_to_num(0.0)
    return Paths(
        torch.where(real[0], log_partition, 0.0),
        torch.where(real[..., None], chances, 0.0),
        onward,
    )


def _ways(behind: Tensor, transitions: Tensor, tags: Tensor) -> Tensor:
    """(W - 1, B, L): weights of going on from each word's tag to each tag of the next.

    Given the tag before, a word's tag depends on nothing else before it.
    """
    matrix = transitions.to(behind)
    return (matrix - matrix.max()).exp()[tags.T[:-1]] * behind[1:]


def _in_range(sums: Tensor, real: Tensor) -> Tensor:
    """(B,): whether every word's sum (W, B) is; a sum that is no number is not."""
    return (((sums > LEAST) & sums.isfinite()) | ~real).all(dim=0)
