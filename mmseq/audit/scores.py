"""Scores of one condition: those of its tags, or the mean over its permutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mmseq.audit.ambiguous import AmbiguousEntities
from mmseq.scoring.metrics import score


@dataclass(frozen=True)
class ConditionScores:
    """0 to 100, by seqeval's default reading unless said; means where there are several runs."""

    precision: float
    recall: float
    f1: float
    strict_f1: float
    """By strict IOB2"""
    per_type: dict[str, float]
    """F1 of each type"""
    ambiguous_recall: float | None
    """Share of the entities with ambiguous names that are found; None where there are none"""
    permutations: tuple[float, ...]
    """F1 of each permutation; empty where there is but one set of tags"""

    def to_json(self) -> dict[str, Any]:
        """As JSON, without what does not apply."""
        facts: dict[str, Any] = {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "strict_f1": self.strict_f1,
            "per_type": self.per_type,
            "ambiguous_recall": self.ambiguous_recall,
            "f1_of_permutations": list(self.permutations),
        }
        return {key: value for key, value in facts.items() if value not in (None, [])}


def condition_scores(
    gold: Sequence[Sequence[str]],
    tags: Sequence[Sequence[Sequence[str]]],
    ambiguous: AmbiguousEntities | None,
) -> ConditionScores:
    """Scores of the `tags` of one or several permutations against BIO `gold`."""
    found = [score(gold, one) for one in tags]
    # A type that a permutation neither has nor predicts scores 0 there, as seqeval has it.
    types = sorted({kind for scores in found for kind in scores["per_type"]})
    recall = ambiguous is not None and ambiguous.entities > 0
    return ConditionScores(
        precision=fmean(s["precision"] for s in found),
        recall=fmean(s["recall"] for s in found),
        f1=fmean(s["f1"] for s in found),
        strict_f1=fmean(s["strict"]["f1"] for s in found),
        per_type={t: fmean(s["per_type"].get(t, {"f1": 0.0})["f1"] for s in found) for t in types},
        ambiguous_recall=fmean(ambiguous.counts(one).f1 for one in tags)
        if ambiguous is not None and recall
        else None,
        permutations=tuple(s["f1"] for s in found) if len(found) > 1 else (),
    )
