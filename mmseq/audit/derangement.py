"""Orders in which sentences trade their pictures, so that none gets what its own pictures show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Contents = frozenset[str]
"""Checksums of the pictures of one sentence"""


def derangement(contents: Sequence[Contents], generator: np.random.Generator) -> list[int]:
    """A random order of the N sentences of `contents`: sentence i gets those of ``order[i]``.

    Drawn at random; then each sentence that would get a content of its own swaps with the first
    one, in random order, with which neither gets its own. Where the sentences' contents are
    either equal or apart, no order has fewer clashes: a content that more than half of the
    sentences have stays with some of them (`clashes`).
    """
    order: list[int] = generator.permutation(len(contents)).tolist()

    def clash(one: int, other: int) -> bool:
        return not contents[one].isdisjoint(contents[other])

    for i in range(len(contents)):
        if not clash(i, order[i]):
            continue
        for j in generator.permutation(len(contents)).tolist():
            if not clash(i, order[j]) and not clash(j, order[i]):
                order[i], order[j] = order[j], order[i]
                break
    return order


def clashes(contents: Sequence[Contents], order: Sequence[int]) -> int:
    """How many sentences get a content of their own: all of them where all pictures are alike."""
    return sum(not contents[i].isdisjoint(contents[j]) for i, j in enumerate(order))
