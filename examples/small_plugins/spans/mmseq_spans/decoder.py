"""The decoder: whole spans are scored, not tags."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

import mmseq
from mmseq_spans.entities import Entity, Tagging

NEVER = -1e9
"""The score of a span that cannot be: its probability is 0, and its gradient a number"""
FORBIDDEN = 30.0
"""What -log p is raised by for each tag that BIO forbids: such sequences have no probability, and
data may hold some"""


class SpanDecoder(mmseq.Decoder):
    """Entities are chosen together, each scored by its first and its last word.

    With h the fused states and, for each type t, P_t and Q_t to `width` numbers, a span from word i
    to word j and a set E of spans that do not overlap have::

        s_t(i, j) = (P_t h_i) . (Q_t h_j) / sqrt(width) + u_t . h_i + v_t . h_j + b_t
        p(E) = exp(sum of s over E) / Z

    where Z sums over all such sets: a semi-Markov model of order 0 (Sarawagi and Cohen 2004) over
    biaffine scores (Yu et al. 2020). Z, the best set and the probability of each span come from
    recursions over the words, exactly; W^2 scores a sentence. The loss is the sum over sentences
    of -log p. Every sequence of tags that BIO allows is one E, and probabilities are over these.
    """

    reads = "fused"

    def __init__(self, sizes: mmseq.Sizes, *, width: mmseq.Count = 32) -> None:
        super().__init__()
        self.tagging = Tagging(sizes.labels)
        self.scale = sqrt(width)
        states, types = sizes.views["fused"], len(self.tagging.types)
        self.first = nn.Linear(states, types * width, bias=False)
        self.last = nn.Linear(states, types * width, bias=False)
        self.begins = nn.Linear(states, types)
        self.ends = nn.Linear(states, types, bias=False)

    def count(self, targets: mmseq.Targets) -> int:
        return int(targets.mask.any(dim=1).sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        chart = self._chart(emissions, mask)
        total = _before(chart, mask)[-1].sum()
        for row, (path, words) in enumerate(zip(tags.tolist(), _lengths(mask), strict=True)):
            entities, forbidden = self.tagging.entities(path[:words])
            total = total + FORBIDDEN * forbidden
            if entities:
                first, last, kind = zip(*entities, strict=True)
                total = total - chart[row, first, last, kind].sum()
        return total

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        chart, kinds = self._chart(emissions, mask).max(dim=3)
        totals = [chart.new_zeros(len(mask))]
        choices = []
        for word in range(mask.shape[1]):
            spans = torch.stack(totals, dim=1) + chart[:, : word + 1, word]
            best, choice = torch.cat([totals[-1][:, None], spans], dim=1).max(dim=1)
            totals.append(torch.where(mask[:, word], best, totals[-1]))
            choices.append(choice.tolist())
        tags = torch.zeros(mask.shape, dtype=torch.long)
        for row, words in enumerate(_lengths(mask)):
            found = _traced([choice[row] for choice in choices[:words]], kinds[row].tolist())
            tags[row, :words] = torch.tensor(self.tagging.tags(found, words), dtype=torch.long)
        return tags.to(mask.device)

    @torch.no_grad()
    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        spans = self._probabilities(emissions, mask)
        begins = spans.sum(dim=2)
        # Of each word: the spans that begin at it or before, and end at it or behind.
        until = spans.cumsum(dim=1).flip(2).cumsum(dim=2).flip(2)
        covered = until.diagonal(dim1=1, dim2=2).transpose(1, 2)
        found = spans.new_zeros(*mask.shape, 1 + 2 * len(self.tagging.types))
        found[..., self.tagging.outside] = 1 - covered.sum(dim=2)
        found[..., self.tagging.begin] = begins
        found[..., self.tagging.inside] = covered - begins
        return found.clamp(0.0, 1.0).gather(2, tags[..., None])[..., 0] * mask

    @torch.no_grad()
    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        found = self._probabilities(emissions, mask)
        places = [
            (row, start, end - 1, self.tagging.entities([int(tags[row, start])])[0][0][2])
            for row, start, end in spans.tolist()
        ]
        return torch.stack([found[place] for place in places]) if places else found.new_zeros(0)

    def _chart(self, states: Tensor, mask: Tensor) -> Tensor:
        """S of every span, (B, W, W, T), `NEVER` where there is none."""
        size = (*mask.shape, len(self.tagging.types), -1)
        first, last = self.first(states).view(size), self.last(states).view(size)
        scores = torch.einsum("bitk,bjtk->bijt", first, last).float() / self.scale
        scores = scores + self.begins(states)[:, :, None] + self.ends(states)[:, None]
        forward = torch.ones(mask.shape[1], mask.shape[1], device=mask.device).triu().bool()
        there = mask[:, :, None] & mask[:, None] & forward
        chart: Tensor = scores.masked_fill(~there[..., None], NEVER)
        return chart

    def _probabilities(self, states: Tensor, mask: Tensor) -> Tensor:
        """P of every span, (B, W, W, T)."""
        chart = self._chart(states, mask)
        before = torch.stack(_before(chart, mask), dim=1)
        behind = torch.stack(_behind(chart, mask), dim=1)
        outer = before[:, :-1, None] + behind[:, None, 1:] - before[:, -1, None, None]
        return (chart + outer[..., None]).exp()


def _before(chart: Tensor, mask: Tensor) -> list[Tensor]:
    """W + 1 times (B,): log of the sum over all sets of spans of the first words; the last is that
    of Z.
    """
    spans = chart.logsumexp(dim=3)
    totals = [spans.new_zeros(len(mask))]
    for word in range(mask.shape[1]):
        ways = torch.stack(totals, dim=1) + spans[:, : word + 1, word]
        ways = torch.cat([totals[-1][:, None], ways], dim=1)
        totals.append(torch.where(mask[:, word], ways.logsumexp(dim=1), totals[-1]))
    return totals


def _behind(chart: Tensor, mask: Tensor) -> list[Tensor]:
    """The same of the words from each one on, the last of none."""
    spans = chart.logsumexp(dim=3)
    totals = [spans.new_zeros(len(mask))]
    for word in reversed(range(mask.shape[1])):
        ways = torch.stack(totals, dim=1) + spans[:, word, word:]
        ways = torch.cat([totals[0][:, None], ways], dim=1)
        totals.insert(0, torch.where(mask[:, word], ways.logsumexp(dim=1), totals[0]))
    return totals


def _traced(choices: Sequence[int], kinds: Sequence[Sequence[int]]) -> list[Entity]:
    """The spans of the best set: of each word, 0 where none ends at it, else 1 more than where that
    begins.
    """
    found, word = [], len(choices) - 1
    while word >= 0:
        if choices[word]:
            first = choices[word] - 1
            found.append((first, word, kinds[first][word]))
            word = first
        word -= 1
    return found


def _lengths(mask: Tensor) -> list[int]:
    lengths: list[int] = mask.sum(dim=1).tolist()
    return lengths
