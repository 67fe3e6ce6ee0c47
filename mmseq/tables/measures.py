"""What was measured of a group of runs, each figure with its spread over the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmseq.bench.results import Result
from mmseq.errors import UserError
from mmseq.scoring.averages import AVERAGES, averages
from mmseq.tables.groups import Group
from mmseq.tables.readings import scores_of
from mmseq.tables.spread import Spread

METRICS = ("precision", "recall", "f1")
SECONDS = ("training", "all")


@dataclass(frozen=True)
class TypeScores:
    """Scores of one entity type."""

    support: int
    """Its gold entities"""
    scores: Mapping[str, Spread]
    """``precision``, ``recall``, ``f1``"""


@dataclass(frozen=True)
class Measured:
    """Figures of one row."""

    scores: Mapping[str, Spread]
    """``precision``, ``recall``, ``f1``: micro, 0 to 100"""
    per_type: Mapping[str, TypeScores]
    """Empty where they were not asked for"""
    averages: Mapping[str, TypeScores]
    """``macro`` and ``weighted`` scores, as `mmseq.scoring.averages` has them, with the gold
    entities of all types; empty where they were not asked for"""
    seconds: Mapping[str, Spread]
    """``training`` and ``all``"""
    parameters: Mapping[str, int]
    """``all`` and ``trained``: equal in all runs of a group"""


def measure(
    group: Group, split: str, variant: str, *, per_type: bool, averaged: bool = False
) -> Measured:
    """The group's figures. `UserError` where scores per type or their averages are asked for in a
    reading without them.
    """
    readings = [scores_of(result, split, variant) for result in group.results]
    return Measured(
        scores={m: Spread.of(float(scores[m]) for scores in readings) for m in METRICS},
        per_type=_per_type(group, split, variant) if per_type else {},
        averages=_averages(group, split, variant) if averaged else {},
        seconds={
            name: Spread.of(float(result.seconds[name]) for result in group.results)
            for name in SECONDS
        },
        parameters={name: int(n) for name, n in group.results[0].parameters.items()},
    )


def _per_type(group: Group, split: str, variant: str) -> dict[str, TypeScores]:
    rows = [_types_of(result, split, variant) for result in group.results]
    # A type that is neither gold nor predicted has no row in one seed and may have in another.
    absent = {"support": 0, **dict.fromkeys(METRICS, 0.0)}
    found = {}
    for name in sorted({name for row in rows for name in row}):
        own = [row.get(name, absent) for row in rows]
        scores = {metric: Spread.of(float(values[metric]) for values in own) for metric in METRICS}
        found[name] = TypeScores(int(own[0]["support"]), scores)
    return found


def _averages(group: Group, split: str, variant: str) -> dict[str, TypeScores]:
    """Of the scores per type, which runs of before averages were written down have, too."""
    rows = [_types_of(result, split, variant) for result in group.results]
    found = [averages(types, set(types)) for types in rows]
    support = sum(int(values["support"]) for values in rows[0].values())
    return {
        name: TypeScores(support, {m: Spread.of(f[name][m] for f in found) for m in METRICS})
        for name in AVERAGES
    }


def _types_of(result: Result, split: str, variant: str) -> Mapping[str, Mapping[str, float]]:
    scores = scores_of(result, split, variant)
    if "per_type" not in scores:
        raise UserError(
            f"{result.system}, {result.data}, seed {result.seed}: no scores per type in the "
            f"reading '{variant}'; leave out --per-type and --averages, or take --variant default."
        )
    types: Mapping[str, Mapping[str, float]] = scores["per_type"]
    return types
