"""Precision, recall and F1 of counted entities, for what seqeval has no figure of."""

from __future__ import annotations

from typing import Any


def figures(gold: int, predicted: int, correct: int) -> dict[str, Any]:
    """The keys of `mmseq.scoring.metrics.FIGURES`, scores 0 to 100.

    None for what is not defined: precision without a prediction, recall without a gold entity, F1
    without either.
    """
    return {
        "precision": _share(correct, predicted),
        "recall": _share(correct, gold),
        "f1": _share(2 * correct, gold + predicted),
        "gold": gold,
        "predicted": predicted,
        "correct": correct,
    }


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
