"""True pictures against every other condition: one family of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmseq.audit.conditions import TRUE
from mmseq.counts import Counts
from mmseq.significance import adjusted, difference, p_text


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
    """The larger of the two, by Holm over all conditions"""

    def __str__(self) -> str:
        return (
            f"{self.effect:+.2f} points, 95 % interval {self.low:+.2f} to {self.high:+.2f}, "
            f"adjusted p {p_text(self.p_adjusted)}"
        )


def compare_conditions(
    counts: Mapping[str, Sequence[Counts]], *, resamples: int, seed: int
) -> dict[str, Comparison]:
    """Condition -> the comparison of the true pictures with it, over the same sentences.

    `counts`: of each condition, those of its permutations. The effect is the mean over them; a
    sentence is drawn or swapped in all of them at once, as permutations bring no new sentences.
    """
    (own,) = counts[TRUE]
    others = [name for name in counts if name != TRUE]
    found = [
        difference([own] * len(counts[name]), counts[name], resamples=resamples, seed=seed)
        for name in others
    ]
    return {
        name: Comparison(d.effect, d.low, d.high, d.p_bootstrap, d.p_randomisation, p)
        for name, d, p in zip(others, found, adjusted(found), strict=True)
    }
