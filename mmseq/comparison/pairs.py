"""Pairs of systems, tested: effects, intervals, p values of the family, what may be said."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmseq.comparison.systems import System
from mmseq.console import Advance, unseen
from mmseq.errors import UserError, unknown
from mmseq.scoring.significance import Difference, adjusted, difference, sentence_of

READING = "micro F1 by exact span and type, seqeval's default reading"
SCOPE = (
    "The tests speak of these trained models on sentences like these: not of models of other "
    "training seeds, nor of other kinds of text. The sd is that of the training seeds."
)


@dataclass(frozen=True)
class Pair:
    """Two systems compared over the seeds that both have."""

    a: str
    b: str
    f1_a: Mapping[int, float]
    """Seed -> F1 of a, points"""
    f1_b: Mapping[int, float]
    left_out: Mapping[str, Sequence[int]]
    """System -> seeds that the other one lacks"""
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """A family of comparisons, adjusted for its size."""

    pairs: Sequence[Pair]
    adjusted: Sequence[float]
    """Adjusted p of each pair"""
    resamples: int
    seed: int
    alpha: float

    def statements(self) -> list[str]:
        """A sentence a pair."""
        return [
            sentence_of(pair.a, pair.b, pair.difference, p, alpha=self.alpha)
            for pair, p in zip(self.pairs, self.adjusted, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """All of it for scripts."""
        pairs = []
        for pair, p, text in zip(self.pairs, self.adjusted, self.statements(), strict=True):
            found = pair.difference
            pairs.append(
                {
                    "a": pair.a,
                    "b": pair.b,
                    "f1": {pair.a: pair.f1_a, pair.b: pair.f1_b},
                    "left_out": pair.left_out,
                    "effect": found.effect,
                    "interval": [found.low, found.high],
                    "p_bootstrap": found.p_bootstrap,
                    "p_randomisation": found.p_randomisation,
                    "p_adjusted": p,
                    "statement": text,
                }
            )
        return {
            "resamples": self.resamples,
            "seed": self.seed,
            "alpha": self.alpha,
            "reading": READING,
            "scope": SCOPE,
            "pairs": pairs,
        }


def compare(
    systems: Sequence[System],
    *,
    baseline: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
    advance: Advance = unseen,
) -> Comparison:
    """Every pair of systems, or every other one with the `baseline`, tested on their sentences.

    `advance` is called after each pair. `UserError` for fewer than two systems, an unknown
    baseline, a pair without a seed in common, no sentence, and too few resamples to show anything.
    """
    chosen = pairs_of(systems, baseline)
    if len(chosen) / (resamples + 1) >= alpha:
        raise UserError(
            f"{resamples} resamples can show nothing at alpha {alpha} in {len(chosen)} "
            f"comparisons; take more than {int(len(chosen) / alpha)}."
        )
    pairs = []
    for a, b in chosen:
        pairs.append(_pair(a, b, resamples, seed))
        advance(1, f"{a.name}, {b.name}")
    family = adjusted([pair.difference for pair in pairs])
    return Comparison(pairs, family, resamples, seed, alpha)


def pairs_of(systems: Sequence[System], baseline: str | None) -> list[tuple[System, System]]:
    """Which are compared."""
    if len(systems) < 2:
        known = [f"'{system.name}', {seeds_text(system.runs)}" for system in systems]
        raise UserError(f"One system is given ({''.join(known)}); give runs of another one.")
    if baseline is None:
        return list(itertools.combinations(systems, 2))
    by_name = {system.name: system for system in systems}
    if baseline not in by_name:
        raise unknown("baseline", baseline, by_name)
    return [(s, by_name[baseline]) for s in systems if s.name != baseline]


def _pair(a: System, b: System, resamples: int, seed: int) -> Pair:
    seeds = [s for s in a.runs if s in b.runs]
    if not seeds:
        raise UserError(
            f"{a.name} has {seeds_text(a.runs)}, {b.name} has {seeds_text(b.runs)}: none in "
            "common; train both with the same ones."
        )
    counts_a, counts_b = ([system.runs[s].counts for s in seeds] for system in (a, b))
    if not len(counts_a[0]):
        raise UserError(f"{a.name}, {b.name}: no sentence to compare them on.")
    return Pair(
        a=a.name,
        b=b.name,
        f1_a={s: counts.f1 for s, counts in zip(seeds, counts_a, strict=True)},
        f1_b={s: counts.f1 for s, counts in zip(seeds, counts_b, strict=True)},
        left_out={x.name: [s for s in x.runs if s not in seeds] for x in (a, b)},
        difference=difference(counts_a, counts_b, resamples=resamples, seed=seed),
    )


def mean_text(f1: Mapping[int, float]) -> str:
    """``76.31 (sd 0.42)``, the sd over seeds where there are several."""
    values = list(f1.values())
    spread = f" (sd {statistics.stdev(values):.2f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def seeds_text(seeds: Collection[int]) -> str:
    """``seed 3`` or ``seeds 1, 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
