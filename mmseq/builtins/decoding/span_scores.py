"""The probability of an entity: that its words have its tags, and that it ends where it does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmseq.builtins.decoding.paths import Paths


def continuations(labels: tuple[str, ...]) -> Tensor:
    """The tag that continues an entity after each tag, (L,): I-X after B-X and I-X, else -1."""
    places = {label: place for place, label in enumerate(labels)}
    return torch.tensor([places.get(f"I-{label[2:]}", -1) for label in labels])


def entities(found: Paths, tags: Tensor, mask: Tensor, spans: Tensor, goes_on: Tensor) -> Tensor:
    """(N,): probability of each of `spans` (N, 3) with its `tags` (B, W), which `found` was asked
    about; `goes_on` (L,) as `continuations` gives it.
    """
    steps = found.onward.gather(2, tags.T[1:, :, None])[..., 0]
    further = going_on(found.onward, goes_on[tags.T[:-1]], mask.T[1:])
    first = found.tags.gather(2, tags.T[..., None])[..., 0]
    steps = torch.cat([first[:1], steps])
    return span_products(first.T, steps.T, further.T, spans)


def going_on(shares: Tensor, onward: Tensor, real: Tensor) -> Tensor:
    """Probability that a word continues the entity before it; 0 at padding and without a tag to.

    `shares` (…, L): of each tag; `onward` (…): the tag that continues it, -1 without; `real` (…).
    """
    found = shares.gather(-1, onward.clamp(min=0)[..., None])[..., 0]
    return found.where((onward >= 0) & real, 0.0)


def span_products(first: Tensor, steps: Tensor, further: Tensor, spans: Tensor) -> Tensor:
    """(N,): the product over a span's words, times the probability that it ends there.

    `first` (B, W): probability of a word's tag; `steps` (B, W): the same, given the tag of the word
    before; `further` (B, W - 1): probability that the next word continues it, given the tag.
    `spans` (N, 3): sentence, first word, word behind the last.
    """
    if not len(spans):
        return first.new_zeros(0)
    rows, begin, end = spans.T
    places = begin[:, None] + torch.arange(1, int((end - begin).max()), device=spans.device)
    within = places < end[:, None]
    inner = steps[rows[:, None], torch.where(within, places, 0)].where(within, 1.0).prod(dim=1)
    return first[rows, begin] * inner * (1.0 - pad(further, (0, 1))[rows, end - 1])
