"""The contract of a decoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from mmseq.contracts.states import Targets


class Decoder(nn.Module, ABC):
    """Emissions, or fused states, to tags.

    Its probabilities (`scores`, `span_scores`, `k_best`) are over all sequences of tags, or over
    those that BIO allows: over the same ones in all three.
    """

    likelihood: bool = True
    """`loss` is -log p of the tags; False for a loss that is none, such as focal or dice loss and
    label smoothing: `mmseq check` then holds decoding and scores against nothing that it gives
    """
    reads: ClassVar[str] = "emissions"
    """What the methods get as `emissions`: ``emissions``, (B, W, L), a linear layer over the fused
    states; or ``fused``, these states themselves, (B, W, F), where F is ``sizes.views["fused"]``.
    With ``fused`` there is no such layer: tasks get emissions of 0, and none may refine them
    """

    @abstractmethod
    def count(self, targets: Targets) -> int:
        """Number of items the loss sums over."""

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Scalar: negative log-likelihood (natural log; but see `likelihood`), SUMMED over the
        items.
        """

    @abstractmethod
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tags: (B, W) long, 0 at padding."""

    @abstractmethod
    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Probability of the given tag at each word: (B, W), 0 at padding; over all tags of a word
        it sums to 1.

        Among all tag sequences, or among those that BIO allows (I-X after B-X or I-X alone): then
        of a word, O and all entities that hold it sum to 1. `span_scores` and `k_best` are
        probabilities among the same sequences.
        """

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        """Probability of each entity in `tags`: (N,), of `spans` (N, 3), rows (sentence, first
        word, word behind the last).

        Here the least of its words' probabilities, which it cannot exceed; a decoder that knows the
        probability that all its words have these tags, and that the entity ends there, gives that.
        """
        scores = self.scores(emissions, tags, mask)
        return scores.new_tensor(
            [float(scores[row, start:end].min()) for row, start, end in spans.tolist()]
        )

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """Scalar: `loss` where tags are open: -log of the probability of all tag sequences that
        `allowed` lets through, (B, W, L) bool, true at each tag that a word may have, SUMMED over
        the items. A word's tag is known or any at all; what stands at padding does not matter.

        The sequences are all of these, or those of them that BIO allows, where there are any. With
        every tag known it is `loss`. It is called for batches with open words alone, and `count`
        then gets `Targets.known`. A decoder need not have it, and a class with a `loss` of its own
        does not inherit it: training on open words then says so.
        """
        raise NotImplementedError(f"{type(self).__name__} learns from whole sentences alone")

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The `k` most probable tag sequences of each sentence that the decoder may give, best
        first: (B, k, W) long, 0 at padding, and the natural logarithms of their probabilities,
        (B, k). The first is what `decode` gives; equal ones come in an order that is always the
        same. Where a sentence has fewer than `k`, the rest are 0 throughout, and -inf. A sentence
        without words has one, the empty one.

        A decoder need not have it: `mmseq predict --best` then says so.
        """
        raise NotImplementedError(f"{type(self).__name__} gives the best tags alone")
