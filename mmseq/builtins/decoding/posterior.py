"""What the sentences of a batch say of their tags: forward-backward in probabilities."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST = 300.0
"""Difference of transition scores that a recursion in probabilities stands: a tag vanishes where
its emission is some 745 (float64's range) below the word's best, and going through the best instead
costs two steps, at most twice this: what is lost is below exp(-145) of the whole."""


class Posterior(NamedTuple):
    """A batch's distributions over tag paths."""

    log_partition: Tensor
    """(B,): log Z"""
    tags: Tensor
    """(W, B, L): probability of each tag, 0 at padding"""
    steps: Tensor
    """(L, L): expected number of each step"""
    behind: Tensor
    """(W, B, L): the weight of all ways on from a word's tag, its own emission with them, to a
    factor of the word"""
    sums: Tensor
    """(W, B): what a word's `tags` were divided by, so as to sum to 1; anything at padding"""


def posterior(
    scores: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor, spread: float
) -> Posterior:
    """What the whole sentences say of their tags.

    `scores` are the emissions as `by_word` gives them; `start` (L,), `transitions` (L, L), `end`
    (L,); `mask` (B, W) is true at words, which come first; `spread` is the largest difference
    within `start`, `transitions` or `end`. Messages run in probabilities, each
    word's largest emission being 1, and are scaled before they leave float64's range. Forward and
    backward run as one recursion: for the latter each sentence is turned round within its own
    words, so that padding stands last for both and needs no mask on the way.
    """
    start, transitions, end = (part.detach().to(scores) for part in (start, transitions, end))
    words, batch, labels = scores.shape
    lengths = mask.sum(dim=1)
    tops = scores.amax(dim=2, keepdim=True)
    shares = (scores - tops).exp_()
    step_top, start_top, end_top = transitions.max(), start.max(), end.max()
    step = (transitions - step_top).exp()
    first, final = (start - start_top).exp(), (end - end_top).exp()

    places = torch.arange(words, device=mask.device)[:, None]
    turned = torch.where(places < lengths, lengths - 1 - places, places)[..., None]
    turned = turned.expand(words, batch, labels)
    both = torch.cat([shares, shares.gather(0, turned)], dim=2)
    # One product with both matrices: at a few tags the number of calls is what costs.
    matrix = torch.block_diag(step, step.T)  # type: ignore[no-untyped-call]
    messages = torch.empty_like(both)
    torch.mul(both[0], torch.cat([first, final]), out=messages[0])
    logs = scores.new_zeros(words, batch)
    # A step makes the sum at most L times larger, and at most exp(spread) times smaller.
    every = max(1, min(64, int(LARGEST / (spread + 0.1))))
    for word in range(1, words):
        torch.mul(messages[word - 1] @ matrix, both[word], out=messages[word])
        if word % every == 0:
            halves = messages[word].view(batch, 2, labels)
            sums = halves.sum(dim=2, keepdim=True)
            halves /= sums
            logs[word] = sums[:, 0, 0].log()

    forward = messages[..., :labels]
    # (W, B, L): of a word and all behind it.
    backward = messages[..., labels:].gather(0, turned)
    last = (lengths - 1).clamp(min=0)
    ends = forward[last, torch.arange(batch, device=mask.device)] @ final
    logs = torch.where(places < lengths, logs + tops[..., 0] + step_top, 0.0).sum(dim=0)
    log_partition = torch.where(
        lengths > 0, ends.log() + logs - step_top + start_top + end_top, 0.0
    )
    reached = torch.cat([first.expand(1, batch, labels), forward[:-1] @ step])
    joint = reached * backward
    sums = joint.sum(dim=2, keepdim=True)
    real = mask.T[..., None]
    tags = torch.where(real, joint / sums, 0.0)
    before = torch.where(real[1:], forward[:-1] / sums[1:], 0.0)
    steps = step * (before.flatten(0, 1).T @ backward[1:].flatten(0, 1))
    return Posterior(log_partition, tags, steps, backward, sums[..., 0])
