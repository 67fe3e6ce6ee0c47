"""The best tag paths of a linear chain, one or several of each sentence, in NumPy.

A GPU's scores come here too: a word's work is so small that the number and cost of calls decide,
and NumPy's cost a fraction of a launch.

`scores` (W, B, L), of whatever finite numbers at padding; `start` (L,), `transitions` (L, L), from
the row's tag to the column's, `end` (L,): all 64 bits, -inf where a path may not begin, step or
end; `lengths` (B,), in words. Of equal paths the one with the lower tag at the last word at which
they differ comes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


def viterbi(
    scores: Array, start: Array, transitions: Array, end: Array, lengths: Whole
) -> NDArray[np.int64]:
    """The best path of each sentence: (B, W), 0 at padding.

    No pointers are kept: going back looks only at the tags before the one chosen.
    """
    words, batch, _ = scores.shape
    best = _best_ways(scores, start, transitions)
    into = np.ascontiguousarray(transitions.T)
    last = np.maximum(lengths - 1, 0)
    final = (best[last, np.arange(batch)] + end).argmax(axis=1)
    within = np.arange(words)[:, None] < lengths
    paths = np.empty((words, batch), dtype=np.int64)
    paths[-1] = tag = final
    for word in range(words - 2, -1, -1):
        # A sentence that ends here begins here with its last tag.
        tag = np.where(within[word + 1], (best[word] + into[tag]).argmax(axis=1), final)
        paths[word] = tag
    return np.ascontiguousarray((paths * within).T)


def k_best(
    scores: Array, start: Array, transitions: Array, end: Array, lengths: Whole, k: int
) -> tuple[Whole, Array]:
    """The `k` best paths of each sentence, best first, and their scores: (B, k, W) and (B, k).

    Paths are 0 at padding; where a sentence has fewer, they are 0 throughout, and the score -inf.

    Exact. The best ways up to each tag say how far the best path through it and on through given
    tags stays behind the best of all, so that going back needs to keep but `k` ends of paths a
    sentence: an end that is not among them has `k` better paths before it. What a way costs is 0
    for the best and above 0 for others (the side-tracks of Eppstein 1998), and adds up.
    """
    words, batch, labels = scores.shape
    # The longest first: those that have a word at a place are then the first so many.
    order = np.argsort(-lengths, kind="stable")
    lengths = lengths[order]
    best = _best_ways(scores[:, order], start, transitions)
    into = np.ascontiguousarray(transitions.T)
    within = np.arange(words)[:, None] < lengths
    going = within.sum(axis=1)
    full = going[0]

    # The ends kept: tags, costs; and of each word the end (its number) that was lengthened.
    finals = best[np.maximum(lengths - 1, 0), np.arange(batch)] + end
    tops = finals.max(axis=1)
    tag, cost = np.zeros((batch, k), dtype=np.int64), np.full((batch, k), np.inf)
    tops[full:], cost[full:, :1] = 0.0, 0.0
    least, chosen = _least(tops[:full, None] - finals[:full], k)
    tag[:full, : least.shape[1]], cost[:full, : least.shape[1]] = chosen, least
    tags = np.broadcast_to(tag, (words, batch, k)).copy()
    lengthened = np.broadcast_to(np.arange(k), tags.shape).copy()
    # Infinity less infinity: before a tag that no path leads to, and whose cost is infinite.
    with np.errstate(invalid="ignore"):
        for word in range(words - 2, -1, -1):
            here = slice(going[word + 1])
            ways = best[word, here, None] + into[tag[here]]
            np.subtract(ways.max(axis=2, keepdims=True), ways, out=ways)
            ways += cost[here, :, None]
            cost[here], chosen = _least(ways.reshape(-1, k * labels), k)
            lengthened[word, here], tag[here] = np.divmod(chosen, labels)
            tags[word, here] = tag[here]

    rank = np.argsort(cost, axis=1, kind="stable")
    cost = np.take_along_axis(cost, rank, axis=1)
    there = np.isfinite(cost)
    paths = np.empty_like(tags)
    for word in range(words):
        paths[word] = np.take_along_axis(tags[word], rank, axis=1)
        rank = np.take_along_axis(lengthened[word], rank, axis=1)
    paths *= within[..., None] & there
    back = np.argsort(order)
    found = np.where(there, tops[:, None] - cost, -np.inf)
    return np.ascontiguousarray(paths.transpose(1, 2, 0)[back]), found[back]


def _best_ways(scores: Array, start: Array, transitions: Array) -> Array:
    """Score of the best path up to each word that ends with each tag: (W, B, L)."""
    words, batch, _ = scores.shape
    # The tag before stands first, so that the maximum over it is of whole rows.
    by_tag = np.ascontiguousarray(scores.transpose(0, 2, 1))
    steps = np.repeat(transitions[:, :, None], batch, axis=2)
    sums = np.empty_like(steps)
    best = np.empty_like(by_tag)
    np.add(by_tag[0], start[:, None], out=best[0])
    for word in range(1, words):
        np.add(best[word - 1][:, None], steps, out=sums)
        np.maximum.reduce(sums, axis=0, out=best[word])
        best[word] += by_tag[word]
    return np.ascontiguousarray(best.transpose(0, 2, 1))


def _least(costs: Array, k: int) -> tuple[Array, Whole]:
    """The `k` least of each row (fewer, if it is shorter), and their places, in the order of these;
    of equal ones the first.
    """
    places = np.argsort(costs, axis=1, kind="stable")[:, :k]
    places.sort(axis=1)
    return np.take_along_axis(costs, places, axis=1), places
