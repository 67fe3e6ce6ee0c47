"""Weights of tags in a loss, so that what is rare is not learned last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmseq.builtins.decoding.crf import full_precision
from mmseq.data.tags import is_tag, split_tag
from mmseq.errors import unknown


def tag_weights(given: Mapping[str, float] | None, labels: Sequence[str]) -> Tensor | None:
    """The weight of each tag, (L,): of a type all its tags', of a tag its own, which goes before
    its type's; 1 where nothing is said. None where every weight is 1.

    `UserError` for a name that is neither a tag nor a type of `labels`.
    """
    weights = dict(given or {})
    types = [split_tag(label)[1] if is_tag(label) else "" for label in labels]
    known = {*filter(None, types), *labels}
    for name in weights:
        if name not in known:
            raise unknown("tag or type in class_weights", name, known)
    pairs = zip(labels, types, strict=True)
    found = [weights.get(tag, weights.get(kind, 1.0)) for tag, kind in pairs]
    return torch.tensor(found) if any(weight != 1 for weight in found) else None


def with_margin(emissions: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
    """Emissions in which every tag but the right one, of `tags` (B, W), has the logarithm of the
    right one's weight more.

    To the likelihood of the right tags that is a margin (softmax-margin, Gimpel & Smith 2010): a
    path counts as if it were as many times as probable as the product of the weights of the tags
    that it misses.
    """
    extra = weights.log()[tags][..., None].expand(emissions.shape)
    return full_precision(emissions) + extra.scatter(2, tags[..., None], 0.0)


def with_margin_of_known(emissions: Tensor, allowed: Tensor, weights: Tensor) -> Tensor:
    """The same where tags are open, by what `allowed` (B, W, L) lets through: an open word, which
    may have any tag, misses none.
    """
    open_words = allowed.all(dim=2, keepdim=True)
    bound = with_margin(emissions, allowed.int().argmax(dim=2), weights)
    return torch.where(open_words, full_precision(emissions), bound)
