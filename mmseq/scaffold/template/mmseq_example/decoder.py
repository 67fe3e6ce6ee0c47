"""The decoder: a softmax at each word, of tags that may be wrong."""

from __future__ import annotations

import math

import mmseq
import torch
from torch import Tensor


class ExampleDecoder(mmseq.Decoder):
    """A softmax at each word, for data in which a share of the tags is wrong.

    An annotator is taken to write a tag drawn from all L at random once in a while, `noise` of the
    time; s are a word's emissions::

        p(y) = (1 - noise) softmax(s)_y + noise / L
        loss = - sum over words of log p(y)

    No word costs more than log(L / noise), however sure the model is that its tag is wrong. The
    number of words whose tags are known is the count; the best tag is that of the highest emission.
    """

    def __init__(self, sizes: mmseq.Sizes, *, noise: mmseq.Dropout = 0.05) -> None:
        super().__init__()
        self.noise = noise

    def count(self, targets: mmseq.Targets) -> int:
        return int(targets.tagged.sum())

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return -self._log_probability(emissions)[mask].gather(1, tags[mask][:, None]).sum()

    def partial_loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        logs = self._log_probability(emissions)[mask]
        return -logs.masked_fill(~allowed[mask], -torch.inf).logsumexp(dim=1).sum()

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return emissions.argmax(dim=2) * mask

    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return self._log_probability(emissions).gather(2, tags[..., None])[..., 0].exp() * mask

    def _log_probability(self, emissions: Tensor) -> Tensor:
        """(B, W, L) of emissions (B, W, L)."""
        # In 32 bits, whatever precision the model runs in.
        clean = emissions.float().log_softmax(dim=2)
        random = clean.new_tensor(self.noise / emissions.shape[2]).log()
        return torch.logaddexp(clean + math.log1p(-self.noise), random)
