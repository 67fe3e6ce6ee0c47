"""Decoders: from the contract alone, from the CRF, and from the softmax."""

from typing import Any

import torch

import mmseq


class EachWord(mmseq.Decoder):
    """A softmax at each word, any tag after any other; it names the k best sequences."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()

    def count(self, targets):
        return int(targets.mask.sum())

    def loss(self, emissions, tags, mask):
        logs = emissions.float().log_softmax(dim=2)
        return -logs.gather(2, tags[..., None])[..., 0][mask].sum()

    def decode(self, emissions, mask):
        return emissions.argmax(dim=2) * mask

    def scores(self, emissions, tags, mask):
        return emissions.float().softmax(dim=2).gather(2, tags[..., None])[..., 0] * mask

    def k_best(self, emissions, mask, k):
        paths = torch.zeros(len(mask), k, mask.shape[1], dtype=torch.long)
        totals = torch.full((len(mask), k), -torch.inf)
        for row, words in enumerate(emissions.float().log_softmax(dim=2)):
            found = [(0.0, [])]
            for word in words[mask[row]].tolist():
                longer = [(t + log, [*p, tag]) for t, p in found for tag, log in enumerate(word)]
                found = sorted(longer, key=lambda one: -one[0])[:k]
            for place, (total, path) in enumerate(found):
                totals[row, place] = total
                paths[row, place, : len(path)] = torch.tensor(path, dtype=torch.long)
        return paths, totals


class Tempered(mmseq.CrfDecoder):
    """A CRF over emissions that are divided by a temperature."""

    def __init__(
        self, sizes: mmseq.Sizes, *, temperature: mmseq.Positive = 1.5, **options: Any
    ) -> None:
        super().__init__(sizes, **options)
        self.temperature = temperature

    def count(self, targets):
        return super().count(targets)

    def loss(self, emissions, tags, mask):
        return super().loss(emissions / self.temperature, tags, mask)

    def decode(self, emissions, mask):
        return super().decode(emissions / self.temperature, mask)

    def scores(self, emissions, tags, mask):
        return super().scores(emissions / self.temperature, tags, mask)

    def span_scores(self, emissions, tags, mask, spans):
        return super().span_scores(emissions / self.temperature, tags, mask, spans)

    def k_best(self, emissions, mask, k):
        return super().k_best(emissions / self.temperature, mask, k)


class Focal(mmseq.SoftmaxDecoder):
    """A softmax whose loss makes little of words that are right already (Lin et al. 2017)."""

    likelihood = False

    def __init__(
        self, sizes: mmseq.Sizes, *, gamma: mmseq.NonNegative = 1.0, **options: Any
    ) -> None:
        super().__init__(sizes, **options)
        self.gamma = gamma

    def loss(self, emissions, tags, mask):
        p = super().scores(emissions, tags, mask)[mask]
        return -((1 - p) ** self.gamma * p.clamp(min=1e-30).log()).sum()

    def span_scores(self, emissions, tags, mask, spans):
        return super().span_scores(emissions, tags, mask, spans).sqrt()
