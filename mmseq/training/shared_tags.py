"""Weights of a run that knows other tags: what a new one takes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmseq.data.tags import split_tag

Weights = Mapping[str, Tensor]


def by_tags(
    own: Weights, given: Weights, own_tags: Sequence[str], given_tags: Sequence[str]
) -> dict[str, Tensor]:
    """The `given` weights as a model with `own_tags` can load them.

    Of head and decoder every row of a tag that both know is put in its place (of transitions every
    cell of two such tags), and the others are `own`, the new model's. Of auxiliary tasks those
    whose shapes hang on the tags are `own`, unless both know the same. All else is as given.
    """
    places = {tag: place for place, tag in enumerate(given_tags)}
    pairs = [(new, places[tag]) for new, tag in enumerate(own_tags) if tag in places]
    lengths = (len(own_tags), len(given_tags))
    taken = dict(given)
    for name in own.keys() & given.keys():
        part = name.partition(".")[0]
        if part in ("head", "decoder"):
            # The head's columns are of the fused states, though there may be as many as tags.
            axes = 1 if part == "head" else own[name].dim()
            taken[name] = _placed(own[name], given[name], pairs, lengths, axes)
        elif part == "tasks" and set(own_tags) != set(given_tags):
            alike = own[name].shape == given[name].shape
            if not alike or _hangs_on(own[name], own_tags, given_tags):
                taken[name] = own[name]
    return taken


def difference(own_tags: Sequence[str], given_tags: Sequence[str]) -> str:
    """How the types differ, for the user: ``new: ORG; dropped: LOC``."""
    own, given = (
        {split_tag(tag)[1] or tag for tag in tags} - {"O"} for tags in (own_tags, given_tags)
    )
    named = {"new": own - given, "dropped": given - own}
    return "; ".join(
        f"{what}: {', '.join(sorted(types))}" for what, types in named.items() if types
    )


def _placed(
    own: Tensor,
    given: Tensor,
    pairs: Sequence[tuple[int, int]],
    lengths: tuple[int, int],
    axes: int,
) -> Tensor:
    """`own` with what `given` has for the tags of `pairs`: their numbers here, and there.

    `lengths`: the number of tags here, and there. Of the first `axes` dimensions, one of those
    sizes is one of tags.
    """
    if own.dim() != given.dim():
        return given
    here, there = [], []
    for axis, sizes in enumerate(zip(own.shape, given.shape, strict=True)):
        if axis < axes and sizes == lengths:
            here.append(torch.tensor([new for new, _ in pairs], dtype=torch.long))
            there.append(torch.tensor([old for _, old in pairs], dtype=torch.long))
        elif sizes[0] == sizes[1]:
            here.append(torch.arange(sizes[0]))
            there.append(here[-1])
        else:
            return given
    placed = own.clone()
    if here:
        to, of = (torch.meshgrid(*places, indexing="ij") for places in (here, there))
        placed[to] = given.to(own)[of]
    else:
        placed.copy_(given)
    return placed


def _hangs_on(tensor: Tensor, own_tags: Sequence[str], given_tags: Sequence[str]) -> bool:
    """A tensor as large in both models may have a row a tag, or a type, if those are as many."""
    types = {split_tag(tag)[1] for tag in own_tags} - {""}
    return len(own_tags) == len(given_tags) and bool({len(own_tags), len(types)} & {*tensor.shape})
