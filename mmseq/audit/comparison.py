"""True pictures against other conditions: families of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmseq.audit.ambiguous import AmbiguousEntities
from mmseq.audit.conditions import SHUFFLED, TRUE, Tags
from mmseq.data.tags import map_types, split_tag
from mmseq.scoring.counts import Counts, sentence_counts
from mmseq.scoring.significance import adjusted, difference, p_text


@dataclass(frozen=True)
class Comparison:
    """True pictures less another condition, in points of micro F1."""

    effect: float
    """Above 0: true pictures are better"""
    low: float
    """Of the 95 % bootstrap interval"""
    high: float
    p_bootstrap: float
    p_randomisation: float
    p_adjusted: float
    """The larger of the two, by Holm over its family"""

    def shown(self, alpha: float) -> int:
        """1: true pictures are better, -1: worse, 0: no difference is shown at level `alpha`."""
        if self.p_adjusted >= alpha:
            return 0
        return 1 if self.effect > 0 else -1

    def __str__(self) -> str:
        return (
            f"{self.effect:+.2f} points, 95 % interval {self.low:+.2f} to {self.high:+.2f}, "
            f"adjusted p {p_text(self.p_adjusted)}"
        )


AMBIGUOUS = "ambiguous names"


def compare_conditions(
    gold: Tags, tags: Mapping[str, Sequence[Tags]], *, resamples: int, seed: int
) -> dict[str, Comparison]:
    """Condition -> the comparison of the true pictures with it: one family.

    `tags`: of each condition, those of its permutations. The effect is the mean over them; a
    sentence is drawn or swapped in all of them at once, as permutations bring no new sentences.
    """
    counts = {name: [sentence_counts(gold, one) for one in some] for name, some in tags.items()}
    (own,) = counts.pop(TRUE)
    return _family({name: (own, some) for name, some in counts.items()}, resamples, seed)


def compare_parts(
    gold: Tags,
    tags: Mapping[str, Sequence[Tags]],
    ambiguous: AmbiguousEntities | None,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Comparison]:
    """True pictures less shuffled ones for each type of `gold`, and for ambiguous names (whose
    effect is one of recall): a family of its own, empty where nothing was shuffled.
    """
    if SHUFFLED not in tags:
        return {}
    (own,), shuffled = tags[TRUE], tags[SHUFFLED]
    types = {split_tag(tag)[1] for some in (gold, own, *shuffled) for row in some for tag in row}

    def of_type(kind: str, predicted: Tags) -> Counts:
        others = dict.fromkeys(types - {kind, ""}, "O")
        alone = [[map_types(row, others) for row in some] for some in (gold, predicted)]
        return sentence_counts(*alone)

    known = sorted({split_tag(tag)[1] for row in gold for tag in row} - {""})
    pairs = {k: (of_type(k, own), [of_type(k, one) for one in shuffled]) for k in known}
    if ambiguous and ambiguous.entities:
        pairs[AMBIGUOUS] = ambiguous.counts(own), [ambiguous.counts(one) for one in shuffled]
    return _family(pairs, resamples, seed)


def _family(
    pairs: Mapping[str, tuple[Counts, Sequence[Counts]]], resamples: int, seed: int
) -> dict[str, Comparison]:
    found = [
        difference([own] * len(others), others, resamples=resamples, seed=seed)
        for own, others in pairs.values()
    ]
    return {
        name: Comparison(d.effect, d.low, d.high, d.p_bootstrap, d.p_randomisation, p)
        for name, d, p in zip(pairs, found, adjusted(found), strict=True)
    }
