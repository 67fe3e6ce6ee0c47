"""A linear-chain CRF by forward-backward in probabilities, with its gradient in closed form."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseq.builtins.decoding.crf import LinearChain, by_word, full_precision
from mmseq.builtins.decoding.span_scores import going_on, span_products
from mmseq.builtins.decoding.viterbi import viterbi

LARGEST = 300.0
"""Difference of transition scores that a recursion in probabilities stands: a tag vanishes where
its emission is some 745 (float64's range) below the word's best, and going through the best instead
costs two steps, at most twice this: what is lost is below exp(-145) of the whole."""


class FastChain(LinearChain):
    """The same CRF with the same parameters, without a graph of its recursion.

    The gradient of log Z with respect to emissions and transitions is the expected count of each
    tag and of each step (Lafferty et al. 2001), which forward and backward messages give. Work is
    done in 64 bits; where the device has none, or transitions differ by more than `LARGEST`, as
    in `LinearChain`.
    """

    def negative_log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().negative_log_likelihood(emissions, tags, mask)
        loss: Tensor = _NegativeLogLikelihood.apply(
            full_precision(emissions), *self.parts(), tags, mask, spread
        )
        return loss

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().marginals(emissions, mask)
        found = posterior(by_word(emissions, mask), *self.parts(), mask, spread)
        return found.tags.transpose(0, 1).to(full_precision(emissions))

    @torch.no_grad()
    def span_probabilities(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor, goes_on: Tensor
    ) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().span_probabilities(emissions, tags, mask, spans, goes_on)
        found = posterior(by_word(emissions, mask), *self.parts(), mask, spread)
        # Given the tag before, a word's tag depends on nothing else before it.
        matrix = self.crf.transitions.to(found.behind)
        ways = (matrix - matrix.max()).exp()[tags.T[:-1]] * found.behind[1:]
        shares = ways / ways.sum(dim=2, keepdim=True)
        steps = shares.gather(2, tags.T[1:, :, None])[..., 0]
        further = going_on(shares, goes_on[tags.T[:-1]], mask.T[1:])
        first = found.tags.gather(2, tags.T[..., None])[..., 0]
        steps = torch.cat([first[:1], steps])
        return span_products(first.T, steps.T, further.T, spans).to(full_precision(emissions))

    @torch.no_grad()
    def best_paths(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return torch.from_numpy(viterbi(*self.arrays(emissions, mask))).to(mask.device)

    @torch.no_grad()
    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().log_partition(emissions, mask)
        found = posterior(by_word(emissions, mask), *self.parts(), mask, spread)
        return found.log_partition.cpu()

    def _spread(self) -> float:
        """The largest difference within start, transitions or end; infinite without 64 bits."""
        parts = [part.detach() for part in self.parts()]
        if parts[0].device.type == "mps":
            return float("inf")
        # Looked at once: on a GPU every look waits for it.
        return torch.stack([part.max() - part.min() for part in parts]).max().item()


class _NegativeLogLikelihood(torch.autograd.Function):
    """Sum of -log p over sentences; its gradient is expected less observed counts."""

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        start: Tensor,
        transitions: Tensor,
        end: Tensor,
        tags: Tensor,
        mask: Tensor,
        spread: float,
    ) -> Tensor:
        scores = by_word(emissions, mask)
        found = posterior(scores, start, transitions, end, mask, spread)
        counts = found.tags
        observed = torch.zeros_like(counts)
        observed.scatter_(2, tags.T[..., None], mask.T[..., None].to(observed))
        observed_steps = observed[:-1].flatten(0, 1).T @ observed[1:].flatten(0, 1)
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        rows = torch.arange(len(mask), device=mask.device)
        score = (
            (scores * observed).sum()
            + (start.to(scores) * observed[0].sum(dim=0)).sum()
            + (transitions.to(scores) * observed_steps).sum()
            + (end.to(scores) * observed[last, rows].sum(dim=0)).sum()
        )
        excess = counts - observed
        ctx.save_for_backward(
            excess.transpose(0, 1).to(emissions),
            excess[0].sum(dim=0).to(start),
            (found.steps - observed_steps).to(transitions),
            excess[last, rows].sum(dim=0).to(end),
        )
        return (found.log_partition.sum() - score).to(emissions)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * part for part in ctx.saved_tensors), None, None, None)


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
    return Posterior(log_partition, tags, steps, backward)
