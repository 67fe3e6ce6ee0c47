"""Sorts every gold and every predicted entity into right and kinds of wrong."""

from __future__ import annotations

from collections.abc import Iterable

from mmseq.scoring.matching import best_matching, overlaps
from mmseq.scoring.pairs import Compared, Span

MATCHED = ("correct", "boundaries", "type", "both")
"""What a gold and a predicted entity that belong together can be"""


def error_counts(sentences: Iterable[Compared]) -> dict[str, int]:
    """Entities by what is wrong with them.

    ``correct``: borders and type agree. ``boundaries``: the type agrees and a word is shared, the
    borders differ. ``type``: the borders agree, the type does not. ``both``: a word is shared and
    neither agrees. ``missed``: gold entities, ``spurious``: predicted ones, that are left over.

    Gold entities are the first five, predicted ones the first four and ``spurious``, since an
    entity belongs to at most one of the other side. Which to which: as many of one type as can be,
    then as many as can be. Correct and type errors are never in doubt (equal borders overlap
    nothing else), and both numbers are maxima; so the counts depend on no order and are mirrored
    when the files change places. ``correct`` + ``boundaries`` is what `relaxed_scores` finds by
    type, ``correct`` + ``type`` what it finds by boundaries.
    """
    counts = dict.fromkeys((*MATCHED, "missed", "spurious"), 0)
    for sentence in sentences:
        gold, predicted = sentence.gold, sentence.predicted
        edges = overlaps(gold, predicted)
        # One more pair of a type outweighs all others together.
        weights = [1 + len(edges) * (gold[g][2] == predicted[p][2]) for g, p in edges]
        pairs = best_matching(edges, weights)
        for g, p in pairs:
            counts[_kind(gold[g], predicted[p])] += 1
        counts["missed"] += len(gold) - len(pairs)
        counts["spurious"] += len(predicted) - len(pairs)
    return counts


def _kind(gold: Span, predicted: Span) -> str:
    if gold[2] == predicted[2]:
        return "correct" if gold == predicted else "boundaries"
    return "type" if gold[:2] == predicted[:2] else "both"
