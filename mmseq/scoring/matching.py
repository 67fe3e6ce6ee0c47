"""Pairing gold with predicted entities that share a word, one to one."""

from __future__ import annotations

from collections.abc import Sequence

from mmseq.scoring.pairs import Span

Edge = tuple[int, int]
"""Index of a gold entity, index of a predicted one"""


def overlaps(gold: Sequence[Span], predicted: Sequence[Span]) -> list[Edge]:
    """All pairs that share a word, in order.

    Entities of one side are in order and share no word, so that along the list neither index ever
    falls.
    """
    found = []
    g = p = 0
    while g < len(gold) and p < len(predicted):
        if gold[g][0] < predicted[p][1] and predicted[p][0] < gold[g][1]:
            found.append((g, p))
        if gold[g][1] < predicted[p][1]:
            g += 1
        else:
            p += 1
    return found


def best_matching(edges: Sequence[Edge], weights: Sequence[int]) -> list[Edge]:
    """Of the `edges` (as `overlaps` orders them) those, no entity used twice, that weigh most.

    The pairs that an edge rules out are its neighbours in the order, as are the hours that overlap
    a meeting, so this is the scheduling of weighted intervals: the best of the first k edges either
    leaves out the last, or takes it after the best of those before its first neighbour.
    """
    first_of_gold: dict[int, int] = {}
    first_of_predicted: dict[int, int] = {}
    before: list[int] = []
    best = [0]
    for index, (g, p) in enumerate(edges):
        free = min(first_of_gold.setdefault(g, index), first_of_predicted.setdefault(p, index))
        before.append(free)
        best.append(max(best[index], best[free] + weights[index]))
    chosen = []
    index = len(edges)
    while index:
        if best[index] == best[index - 1]:
            index -= 1
        else:
            chosen.append(edges[index - 1])
            index = before[index - 1]
    return chosen[::-1]
