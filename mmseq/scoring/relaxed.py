"""Relaxed scores: entities that are right in part count as right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmseq.scoring.figures import figures
from mmseq.scoring.matching import best_matching, overlaps
from mmseq.scoring.pairs import Compared


def relaxed_scores(sentences: Iterable[Compared]) -> dict[str, dict[str, Any]]:
    """Three more ways for a predicted entity to be right, each with `figures`.

    ``boundaries``: first and last word are those of a gold entity, whatever the type (the
    ``exact`` of SemEval-2013 task 9).

    ``type``: it shares a word with a gold entity of its type (there the ``type``).

    ``overlap``: it shares a word with a gold entity, whatever the type. SemEval's ``partial``
    differs: it gives half a point for a shared word.

    Pairs are one to one: a long prediction over two gold entities finds one of them, and two
    predictions in one gold entity are one right and one wrong. As many are right as can be
    (maximum matching), a number that no order of the words or of the files changes; equal borders
    leave no choice.
    """
    gold = predicted = boundaries = kinds = overlapping = 0
    for sentence in sentences:
        gold += len(sentence.gold)
        predicted += len(sentence.predicted)
        borders = [{span[:2] for span in side} for side in (sentence.gold, sentence.predicted)]
        boundaries += len(borders[0] & borders[1])
        edges = overlaps(sentence.gold, sentence.predicted)
        alike = [(g, p) for g, p in edges if sentence.gold[g][2] == sentence.predicted[p][2]]
        kinds += len(best_matching(alike, [1] * len(alike)))
        overlapping += len(best_matching(edges, [1] * len(edges)))
    return {
        "boundaries": figures(gold, predicted, boundaries),
        "type": figures(gold, predicted, kinds),
        "overlap": figures(gold, predicted, overlapping),
    }
