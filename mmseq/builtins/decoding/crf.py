"""The one file that knows pytorch-crf."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torchcrf import CRF

from mmseq.builtins.decoding.viterbi import Array, Whole, k_best

NEVER = -1e9
"""An emission of a tag that cannot be: its probability is 0 beside any score, and finite"""


class LinearChain(nn.Module):
    """A linear-chain CRF over emissions (B, W, L) with ragged sentences.

    Masks are bool (B, W), true at real words, which come first. A row without any word counts for
    nothing: pytorch-crf insists that every row begins with one.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.crf = CRF(labels, batch_first=True)

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
        tags = torch.zeros(mask.shape, dtype=torch.long)
        # Of any path: its score less its log-likelihood.
        score = crf.start_transitions[0] + held[..., 0].sum(dim=1) + crf.end_transitions[0]
        score = score + crf.transitions[0, 0] * (mask.sum(dim=1) - 1)
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
            tags = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
            loss = self.negative_log_likelihood(inputs, tags, mask)
            # -log p = log Z - score(path of zeros); the path's score adds its own emissions.
            score = (inputs[..., 0] * mask).sum()
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
        path = torch.where(within, tags, (onward + 1) % len(labels))
        free = self.crf(held, path, mask=mask, reduction="none")
        forced = self.crf(held.masked_fill(banned, NEVER), path, mask=mask, reduction="none")
        found: Tensor = (free - forced).exp().clamp(max=1.0)
        return found

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of beginning with each tag, (L,), of each step, (L, L), of each end, (L,)."""
        return self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions

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
