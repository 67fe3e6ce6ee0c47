"""A linear-chain CRF by forward-backward in probabilities, with its gradient in closed form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseq.builtins.decoding.crf import LinearChain, by_word, full_precision
from mmseq.builtins.decoding.paths import Paths, all_paths, allowed_paths
from mmseq.builtins.decoding.posterior import LARGEST, posterior
from mmseq.builtins.decoding.span_scores import entities
from mmseq.builtins.decoding.viterbi import viterbi


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
        found = self._paths(emissions, mask, spread)
        return found.tags.transpose(0, 1).to(full_precision(emissions))

    @torch.no_grad()
    def span_probabilities(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor, goes_on: Tensor
    ) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().span_probabilities(emissions, tags, mask, spans, goes_on)
        found = self._paths(emissions, mask, spread, tags)
        return entities(found, tags, mask, spans, goes_on).to(full_precision(emissions))

    @torch.no_grad()
    def best_paths(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return torch.from_numpy(viterbi(*self.arrays(emissions, mask))).to(mask.device)

    @torch.no_grad()
    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        spread = self._spread()
        if spread > LARGEST:
            return super().log_partition(emissions, mask)
        return self._paths(emissions, mask, spread).log_partition.cpu()

    def _paths(
        self, emissions: Tensor, mask: Tensor, spread: float, tags: Tensor | None = None
    ) -> Paths:
        find = allowed_paths if self.bound else all_paths
        return find(by_word(emissions, mask), *self.parts(), mask, spread, tags)

    def _spread(self) -> float:
        """`widest` as a number, infinite without 64 bits."""
        if self.crf.transitions.device.type == "mps":
            return float("inf")
        # Looked at once: on a GPU every look waits for it.
        return self.widest().item()

    @torch.no_grad()
    def widest(self) -> Tensor:
        """The largest difference within start, transitions or end, of what can be: scalar."""
        parts = self.parts()
        spreads = [part.max() - part.min() for part in parts]
        if self.bound:
            low = [part.masked_fill(part == -torch.inf, torch.inf).min() for part in parts]
            spreads = [part.max() - least for part, least in zip(parts, low, strict=True)]
        return torch.stack(spreads).max()


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
