"""Decoders: a linear-chain CRF, and a softmax at each word."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mmseq.builtins.decoding.class_weights import tag_weights, with_margin, with_margin_of_known
from mmseq.builtins.decoding.crf import LinearChain, by_word, full_precision
from mmseq.builtins.decoding.crf_fast import FastChain
from mmseq.builtins.decoding.crf_partial import partial_loss
from mmseq.builtins.decoding.paths import Paths, allowed_paths
from mmseq.builtins.decoding.span_scores import continuations, entities, going_on, span_products
from mmseq.builtins.decoding.viterbi import Array, Whole, k_best, viterbi
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Sizes, Targets
from mmseq.registry.ranges import Positive


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


def binds(constrain: bool, forbidden: tuple[Tensor, Tensor]) -> bool:
    """Whether decoding is bound: something is forbidden, and a sentence may begin with some tag."""
    steps, starts = forbidden
    return constrain and bool(steps.any() or starts.any()) and not bool(starts.all())


def _cost(forbidden: Tensor) -> Tensor:
    """What is added to scores: -inf where something is forbidden, else 0."""
    return torch.zeros(forbidden.shape).masked_fill(forbidden, -torch.inf)


class CrfDecoder(Decoder):
    """A linear-chain CRF: the tags of a sentence are chosen together.

    The loss is the sum over sentences of -log p(tags | emissions) (Lafferty et al. 2001). A word's
    score is its true marginal probability; a span's that of just this entity, the sum over all
    paths that have its tags and do not continue it. With `constrain`, steps that BIO forbids
    (I-X after anything but B-X or I-X) are excluded at decoding, of the best path and of the `k`
    best, and probabilities are those of the paths that are left, p(tags) / p(all that are allowed):
    a word's scores over all tags sum to 1, and so do the sequences'. Training is unchanged, over
    all paths. A CRF trained for a few epochs beside a pretrained encoder hardly learns to forbid
    them itself.
    Where words are open, the loss is log Z - log Z(allowed) (Tsuboi et al. 2008): of the sequences
    that complete the known tags and that BIO allows; of all that complete them, if it allows none.

    `backend`: ``fast`` computes messages and their gradient in closed form, in 64 bits;
    ``pytorch-crf`` is the library, which autograd differentiates, several times slower. Weights and
    results are the same to rounding.

    `class_weights`: of types and tags in the loss, ``{PER = 2.0, "B-LOC" = 3.0}``; a tag goes
    before its type, and what is not named has 1. Every tag but a word's right one is given the
    logarithm of the right one's weight more (softmax-margin, Gimpel & Smith 2010), so that a
    weight above 1 makes mistakes at such words cost more. The loss is then no likelihood.
    """

    steps: Tensor
    starts: Tensor
    goes_on: Tensor
    tag_weights: Tensor | None

    def __init__(
        self,
        sizes: Sizes,
        *,
        constrain: bool = True,
        backend: Literal["fast", "pytorch-crf"] = "fast",
        class_weights: dict[str, Positive] | None = None,
    ) -> None:
        super().__init__()
        chain = FastChain if backend == "fast" else LinearChain
        self.chain = chain(len(sizes.labels))
        self.constrain = constrain
        forbidden = forbidden_steps(sizes.labels)
        self.bound = binds(constrain, forbidden)
        self.register_buffer("steps", _cost(forbidden[0]), persistent=False)
        self.register_buffer("starts", _cost(forbidden[1]), persistent=False)
        self.register_buffer("goes_on", continuations(sizes.labels), persistent=False)
        weights = tag_weights(class_weights, sizes.labels)
        self.register_buffer("tag_weights", weights, persistent=False)
        if weights is not None:
            self.likelihood = False

    def count(self, targets: Targets) -> int:
        return int(targets.mask.any(dim=1).sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        if self.tag_weights is not None:
            emissions = with_margin(emissions, tags, self.tag_weights)
        return self.chain.negative_log_likelihood(emissions, tags, mask)

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        if self.tag_weights is not None:
            emissions = with_margin_of_known(emissions, allowed, self.tag_weights)
        return partial_loss(self.chain, emissions, allowed, mask, self.steps, self.starts)

    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        found = self._allowed(wide=True).marginals(emissions, mask)
        return found.gather(2, tags[..., None])[..., 0]

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        chain = self._allowed(wide=True)
        found = chain.span_probabilities(emissions, tags, mask, spans, self.goes_on)
        return _begun(found, tags, spans, self.starts) if self.bound else found

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return self._allowed().best_paths(emissions, mask)

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        chain = self._allowed()
        paths, scores = chain.k_best_paths(emissions, mask, k)
        logs = scores - chain.log_partition(emissions, mask)[:, None]
        return paths.to(mask.device), logs.clamp(max=0.0).to(full_precision(emissions))

    def _allowed(self, *, wide: bool = False) -> LinearChain:
        """The chain, without the steps that are not to be decoded; then `wide`: in 64 bits."""
        if not self.bound:
            return self.chain
        chain = self.chain.within(self.starts, self.steps)
        return chain.widened() if wide else chain


class SoftmaxDecoder(Decoder):
    """A softmax at each word, independent of its neighbours.

    The loss is the sum over words of -log p(tag). A span's score is the product of its words',
    times the probability that the next word does not continue it. With `constrain`, the best path
    among those that BIO allows is taken, and scores are probabilities among those: p(tags) / p(all
    that are allowed). Training is unchanged, over all tags of each word; so are scores of emissions
    that a gradient is wanted for, as in a loss made of them.

    `class_weights`: of types and tags in the loss, ``{PER = 2.0, "B-LOC" = 3.0}``; a tag goes
    before its type, and what is not named has 1. A word's -log p(tag) counts as often as its tag's
    weight says. The loss is then no likelihood. Open words have no loss and do not count.
    """

    steps: Tensor
    starts: Tensor
    goes_on: Tensor
    tag_weights: Tensor | None

    def __init__(
        self,
        sizes: Sizes,
        *,
        constrain: bool = True,
        class_weights: dict[str, Positive] | None = None,
    ) -> None:
        super().__init__()
        self.constrain = constrain
        steps, starts = forbidden_steps(sizes.labels)
        self.bound = binds(constrain, (steps, starts))
        self.register_buffer("steps", _cost(steps & self.bound), persistent=False)
        self.register_buffer("starts", _cost(starts & self.bound), persistent=False)
        self.register_buffer("goes_on", continuations(sizes.labels), persistent=False)
        weights = tag_weights(class_weights, sizes.labels)
        self.register_buffer("tag_weights", weights, persistent=False)
        if weights is not None:
            self.likelihood = False

    def count(self, targets: Targets) -> int:
        return int(targets.tagged.sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return cross_entropy(
            emissions[mask].float(), tags[mask], weight=self.tag_weights, reduction="sum"
        )

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        words = mask & ~allowed.all(dim=2)
        logs = emissions[words].float().log_softmax(dim=1)
        losses = -logs.masked_fill(~allowed[words], -torch.inf).logsumexp(dim=1)
        if self.tag_weights is not None:
            losses = losses * self.tag_weights[allowed[words].int().argmax(dim=1)]
        return losses.sum()

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        if not self.constrain:
            return emissions.argmax(dim=-1) * mask
        return torch.from_numpy(viterbi(*self._arrays(emissions, mask))).to(mask.device)

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        given = self._arrays(emissions, mask)
        paths, totals = map(torch.from_numpy, k_best(*given, k))
        if self.bound:
            whole = self._paths(emissions, mask).log_partition
        else:
            words = torch.from_numpy(given[0]).logsumexp(dim=2) * mask.T.cpu()
            whole = words.sum(dim=0)
        logs = totals - whole[:, None]
        return paths.to(mask.device), logs.clamp(max=0.0).to(full_precision(emissions))

    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        if not self.bound or (torch.is_grad_enabled() and emissions.requires_grad):
            found = emissions.float().softmax(dim=-1)
        else:
            found = self._paths(emissions, mask).tags.transpose(0, 1)
            found = found.to(tags.device, torch.float32)
        return found.gather(2, tags[..., None])[..., 0] * mask

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        if self.bound:
            paths = self._paths(emissions, mask, tags)
            given = (part.cpu() for part in (tags, mask, spans, self.goes_on))
            found = entities(paths, *given).to(tags.device, torch.float32)
            return _begun(found, tags, spans, self.starts)
        found = emissions.float().softmax(dim=-1)
        chosen = found.gather(2, tags[..., None])[..., 0]
        further = going_on(found[:, 1:], self.goes_on[tags[:, :-1]], mask[:, 1:])
        return span_products(chosen, chosen, further, spans)

    @torch.no_grad()
    def _paths(self, emissions: Tensor, mask: Tensor, tags: Tensor | None = None) -> Paths:
        """As a chain whose steps cost nothing, unless they are forbidden: on the CPU, in 64 bits,
        where a word's work costs least.
        """
        starts, steps = (part.cpu().double() for part in (self.starts, self.steps))
        mask, ends = mask.cpu(), torch.zeros_like(starts)
        tags = None if tags is None else tags.cpu()
        return allowed_paths(by_word(emissions.cpu(), mask), starts, steps, ends, mask, 0.0, tags)

    def _arrays(self, emissions: Tensor, mask: Tensor) -> tuple[Array, Array, Array, Array, Whole]:
        """As a chain whose steps cost nothing, unless they are forbidden."""
        starts, steps = (part.cpu().double().numpy() for part in (self.starts, self.steps))
        mask = mask.cpu()
        scores = by_word(emissions.cpu(), mask).numpy()
        return scores, starts, steps, np.zeros_like(starts), mask.sum(dim=1).numpy()


def _begun(found: Tensor, tags: Tensor, spans: Tensor, starts: Tensor) -> Tensor:
    """0 where an entity begins with a tag that only goes on with one: it is part of a longer."""
    first = tags[spans[:, 0], spans[:, 1]]
    return torch.where(starts[first] == -torch.inf, 0.0, found)
