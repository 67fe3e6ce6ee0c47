"""The one file that knows pytorch-crf."""

from __future__ import annotations

from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn
from torchcrf import CRF

from mmseq.builtins.decoding.viterbi import Array, Whole, k_best

NEVER = -1e9
"""An emission of a tag that cannot be: its probability is 0 beside any score, and finite"""

FORBIDDEN = -1e30
"""The same of a step, where it must be finite"""


class LinearChain(nn.Module):
    """A linear-chain CRF over emissions (B, W, L) with ragged sentences.

    Masks are bool (B, W), true at real words, which come first. A row without any word counts for
    nothing: pytorch-crf insists that every row begins with one.
    """

    bound: bool = False
    """Some starts and steps cannot be, and are -inf"""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.crf = CRF(labels, batch_first=True)

    @torch.no_grad()
    def within(self, starts: Tensor, steps: Tensor) -> Self:
        """The chain with `starts` (L,) and `steps` (L, L) added, -inf where one cannot be, else 0:
        a copy, since the learned parameters may be in use elsewhere, in a graph or another thread.
        """
        chain = deepcopy(self)
        chain.crf.start_transitions.add_(starts)
        chain.crf.transitions.add_(steps)
        chain.bound = True
        return chain

    def widened(self) -> Self:
        """Itself, in 64 bits where the device has them."""
        return self if self.crf.transitions.device.type == "mps" else self.double()

    def negative_log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Sum over the sentences of -log p(tags | emissions), natural log; scalar."""
        rows = mask[:, 0]
        emissions = full_precision(emissions)
        if not rows.any():
            return (emissions * 0.0).sum()
        likelihood: Tensor = self.crf(emissions[rows], tags[rows], mask=mask[rows], reduction="sum")
        return -likelihood

    def best_paths(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Viterbi: (B, W) long, 0 at padding."""
        paths = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
        rows = mask[:, 0]
        if rows.any():
            found = self.crf.decode(full_precision(emissions[rows]), mask=mask[rows])
            for row, path in zip(rows.nonzero()[:, 0].tolist(), found, strict=True):
                paths[row, : len(path)] = torch.tensor(path, device=mask.device)
        return paths

    @torch.no_grad()
    def k_best_paths(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The `k` best paths, best first, (B, k, W) long, and their scores, (B, k), -inf where a
        sentence has fewer: in 64 bits, on the CPU.
        """
        paths, scores = k_best(*self.arrays(emissions, mask), k)
        return torch.from_numpy(paths), torch.from_numpy(scores)

    @torch.no_grad()
    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The log of Z of each sentence, (B,), 0 without words: in 64 bits, on the CPU."""
        mask = mask.cpu()
        rows, found = mask[:, 0], torch.zeros(len(mask), dtype=torch.float64)
        if not rows.any():
            return found
        crf, held, mask = deepcopy(self.crf).cpu().double(), emissions.cpu()[rows], mask[rows]
        held = held.double().masked_fill(~mask[..., None], 0.0)
        tag = self._everywhere()
        tags = torch.full(mask.shape, tag, dtype=torch.long)
        # Of any path: its score less its log-likelihood.
        score = crf.start_transitions[tag] + held[..., tag].sum(dim=1) + crf.end_transitions[tag]
        score = score + crf.transitions[tag, tag] * (mask.sum(dim=1) - 1)
        found[rows] = score - crf(held, tags, mask=mask, reduction="none")
        return found

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """p(tag at each word | the whole sentence): (B, W, L), 0 at padding.

        log Z's gradient with respect to an emission is that tag's marginal, and log Z is the
        score of any path minus its log-likelihood.
        """
        # Prediction runs without gradients, perhaps in inference mode, whose tensors take part in
        # none: hence the copies.
        with torch.inference_mode(False), torch.enable_grad():
            inputs, mask = full_precision(emissions.detach()).clone().requires_grad_(), mask.clone()
            tag = self._everywhere()
            tags = torch.full(mask.shape, tag, dtype=torch.long, device=mask.device)
            loss = self._finite().negative_log_likelihood(inputs, tags, mask)
            # -log p = log Z - score(a path); the path's score adds its own emissions.
            score = (inputs[..., tag] * mask).sum()
            (gradient,) = torch.autograd.grad(loss + score, inputs)
        return gradient.clamp(0.0, 1.0) * mask[..., None]

    @torch.no_grad()
    def span_probabilities(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor, goes_on: Tensor
    ) -> Tensor:
        """p(its words have their `tags`, the next does not continue them | the sentence): (N,).

        `spans` (N, 3): sentence, first word, word behind the last; `goes_on` (L,): the tag that
        goes on after each tag, or -1. It is Z of a sentence in which nothing else can be, over Z.
        """
        if not len(spans):
            return full_precision(emissions).new_zeros(0)
        rows, begin, end = spans.T
        held, tags, mask = full_precision(emissions[rows]), tags[rows], mask[rows]
        places = torch.arange(mask.shape[1], device=mask.device)
        within = (places >= begin[:, None]) & (places < end[:, None])
        labels = torch.arange(held.shape[2], device=mask.device)
        banned = within[..., None] & (labels != tags[..., None])
        onward = goes_on[tags.gather(1, end[:, None] - 1)]
        banned |= (places == end[:, None])[..., None] & (labels == onward)[:, None]
        # Any path that can be: its own score stands in both, and what is left is log Z.
        other = torch.full_like(onward, self._everywhere()) if self.bound else onward + 1
        path = torch.where(within, tags, other % len(labels))
        free = self.crf(held, path, mask=mask, reduction="none")
        forced = self.crf(held.masked_fill(banned, NEVER), path, mask=mask, reduction="none")
        # An entity that cannot be has no path.
        found: Tensor = torch.where(free == -torch.inf, 0.0, (free - forced).exp().clamp(max=1.0))
        return found.to(held)

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of beginning with each tag, (L,), of each step, (L, L), of each end, (L,)."""
        return self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions

    def _everywhere(self) -> int:
        """A tag that all words of a sentence may have: of BIO's, O or a B-X."""
        if not self.bound:
            return 0
        start, transitions, _ = (part.detach() for part in self.parts())
        able = (start > -torch.inf) & (transitions.diagonal() > -torch.inf)
        return int(able.int().argmax())

    @torch.no_grad()
    def _finite(self) -> LinearChain:
        """A chain that autograd can go through: the gradient of log-sum-exp where nothing can be
        is no number.
        """
        chain = self
        if self.bound:
            chain = deepcopy(self)
            for part in chain.parts():
                part.clamp_(min=FORBIDDEN)
        return chain

    def arrays(self, emissions: Tensor, mask: Tensor) -> tuple[Array, Array, Array, Array, Whole]:
        """Emissions, parts and lengths as `mmseq.builtins.decoding.viterbi` takes them."""
        mask = mask.cpu()
        start, transitions, end = (part.detach().cpu().double().numpy() for part in self.parts())
        scores = by_word(emissions.cpu(), mask).numpy()
        return scores, start, transitions, end, mask.sum(dim=1).numpy()


def full_precision(emissions: Tensor) -> Tensor:
    """32 bits or more: half precision loses the recursions' small differences."""
    return emissions.to(torch.promote_types(emissions.dtype, torch.float32))


def by_word(emissions: Tensor, mask: Tensor) -> Tensor:
    """(W, B, L) in 64 bits, 0 at padding, whatever stands there."""
    wide = emissions.detach().transpose(0, 1).to(torch.float64)
    return torch.where(mask.T[..., None], wide, 0.0).contiguous()
