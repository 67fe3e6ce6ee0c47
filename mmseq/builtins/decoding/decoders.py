"""Decoders: a linear-chain CRF, and a softmax at each word."""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mmseq.builtins.decoding.crf import LinearChain, by_word, full_precision
from mmseq.builtins.decoding.crf_fast import FastChain
from mmseq.builtins.decoding.crf_partial import partial_loss
from mmseq.builtins.decoding.span_scores import continuations, going_on, span_products
from mmseq.builtins.decoding.viterbi import Array, Whole, k_best, viterbi
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Sizes, Targets


def forbidden_steps(labels: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """The BIO steps that cannot be: I-X must follow B-X or I-X.

    Gives (L, L) bool, true where tag j may not follow tag i, and (L,) bool, true where a sentence
    may not begin with the tag.
    """
    inside = [label.startswith("I-") for label in labels]
    steps = [
        [
            starts and before not in (after, f"B-{after[2:]}")
            for after, starts in zip(labels, inside, strict=True)
        ]
        for before in labels
    ]
    return torch.tensor(steps), torch.tensor(inside)


def _cost(forbidden: Tensor) -> Tensor:
    """What is added to scores: -inf where something is forbidden, else 0."""
    return torch.zeros(forbidden.shape).masked_fill(forbidden, -torch.inf)


class CrfDecoder(Decoder):
    """A linear-chain CRF: the tags of a sentence are chosen together.

    The loss is the sum over sentences of -log p(tags | emissions) (Lafferty et al. 2001). A word's
    score is its true marginal probability; a span's that of just this entity, the sum over all
    paths that have its tags and do not continue it. With `constrain`, steps that BIO forbids
    (I-X after anything but B-X or I-X) are excluded at decoding, of the best path and of the `k`
    best; training and probabilities are unchanged, those of the allowed paths sum to less than 1.
    A CRF trained for a few epochs beside a pretrained encoder hardly learns to forbid them itself.
    Where words are open, the loss is log Z - log Z(allowed) (Tsuboi et al. 2008): of the sequences
    that complete the known tags and that BIO allows; of all that complete them, if it allows none.

    `backend`: ``fast`` computes messages and their gradient in closed form, in 64 bits;
    ``pytorch-crf`` is the library, which autograd differentiates, several times slower. Weights and
    results are the same to rounding.
    """

    steps: Tensor
    starts: Tensor
    goes_on: Tensor

    def __init__(
        self,
        sizes: Sizes,
        *,
        constrain: bool = True,
        backend: Literal["fast", "pytorch-crf"] = "fast",
    ) -> None:
        super().__init__()
        chain = FastChain if backend == "fast" else LinearChain
        self.chain = chain(len(sizes.labels))
        self.constrain = constrain
        steps, starts = forbidden_steps(sizes.labels)
        self.register_buffer("steps", _cost(steps), persistent=False)
        self.register_buffer("starts", _cost(starts), persistent=False)
        self.register_buffer("goes_on", continuations(sizes.labels), persistent=False)

    def count(self, targets: Targets) -> int:
        return int(targets.mask.any(dim=1).sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return self.chain.negative_log_likelihood(emissions, tags, mask)

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        return partial_loss(self.chain, emissions, allowed, mask, self.steps, self.starts)

    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return self.chain.marginals(emissions, mask).gather(2, tags[..., None])[..., 0]

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        return self.chain.span_probabilities(emissions, tags, mask, spans, self.goes_on)

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return self._allowed().best_paths(emissions, mask)

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        paths, scores = self._allowed().k_best_paths(emissions, mask, k)
        logs = scores - self.chain.log_partition(emissions, mask)[:, None]
        return paths.to(mask.device), logs.clamp(max=0.0).to(full_precision(emissions))

    @torch.no_grad()
    def _allowed(self) -> LinearChain:
        """The chain, without the steps that are not to be decoded."""
        chain = self.chain
        if self.constrain:
            # A copy: the learned parameters may be in use elsewhere, in a graph or another thread.
            chain = deepcopy(chain)
            chain.crf.transitions.add_(self.steps)
            chain.crf.start_transitions.add_(self.starts)
        return chain


class SoftmaxDecoder(Decoder):
    """A softmax at each word, independent of its neighbours.

    The loss is the sum over words of -log p(tag). With `constrain`, the best path among those that
    BIO allows is taken; a word's score is its softmax probability either way, and a span's the
    product of its words', times the probability that the next word does not continue it. Open words
    have no loss and do not count.
    """

    steps: Tensor
    starts: Tensor
    goes_on: Tensor

    def __init__(self, sizes: Sizes, *, constrain: bool = True) -> None:
        super().__init__()
        self.constrain = constrain
        steps, starts = forbidden_steps(sizes.labels)
        self.register_buffer("steps", _cost(steps & constrain), persistent=False)
        self.register_buffer("starts", _cost(starts & constrain), persistent=False)
        self.register_buffer("goes_on", continuations(sizes.labels), persistent=False)

    def count(self, targets: Targets) -> int:
        return int(targets.tagged.sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return cross_entropy(emissions[mask].float(), tags[mask], reduction="sum")

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        words = mask & ~allowed.all(dim=2)
        logs = emissions[words].float().log_softmax(dim=1)
        return -logs.masked_fill(~allowed[words], -torch.inf).logsumexp(dim=1).sum()

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        if not self.constrain:
            return emissions.argmax(dim=-1) * mask
        return torch.from_numpy(viterbi(*self._arrays(emissions, mask))).to(mask.device)

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        given = self._arrays(emissions, mask)
        paths, totals = map(torch.from_numpy, k_best(*given, k))
        words = torch.from_numpy(given[0]).logsumexp(dim=2) * mask.T.cpu()
        logs = totals - words.sum(dim=0)[:, None]
        return paths.to(mask.device), logs.clamp(max=0.0).to(full_precision(emissions))

    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return emissions.float().softmax(dim=-1).gather(2, tags[..., None])[..., 0] * mask

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        found = emissions.float().softmax(dim=-1)
        chosen = found.gather(2, tags[..., None])[..., 0]
        further = going_on(found[:, 1:], self.goes_on[tags[:, :-1]], mask[:, 1:])
        return span_products(chosen, chosen, further, spans)

    def _arrays(self, emissions: Tensor, mask: Tensor) -> tuple[Array, Array, Array, Array, Whole]:
        """As a chain whose steps cost nothing, unless they are forbidden."""
        starts, steps = (part.cpu().double().numpy() for part in (self.starts, self.steps))
        mask = mask.cpu()
        scores = by_word(emissions.cpu(), mask).numpy()
        return scores, starts, steps, np.zeros_like(starts), mask.sum(dim=1).numpy()
