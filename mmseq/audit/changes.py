"""Sentences whose tags change with the pictures, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmseq.audit.conditions import NONE, SHUFFLED, TRUE, Tagged
from mmseq.contracts.example import Example
from mmseq.scoring.counts import sentence_counts


@dataclass(frozen=True)
class Change:
    """One sentence that its own pictures help or hurt."""

    example: Example
    gain: int
    """Wrong and missed entities under the other conditions less those with the true pictures"""
    tags: Mapping[str, tuple[str, ...]]
    """Of each condition"""
    own: tuple[Path, ...]
    shuffled: tuple[Path, ...]
    """Pictures under ``shuffled``"""

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.example.id,
            "where": self.example.where,
            "gain": self.gain,
            "pictures": [str(path) for path in self.own],
            "shuffled_pictures": [str(path) for path in self.shuffled],
            "tokens": list(self.example.tokens),
            "gold": list(self.example.tags or ()),
            "tags": {name: list(tags) for name, tags in self.tags.items()},
        }


@dataclass(frozen=True)
class Tally:
    """How many sentences have other tags under a condition than with their true pictures."""

    changed: int
    helped: int
    """Of these: fewer errors with the true pictures"""
    hurt: int
    """More errors with the true pictures"""


@dataclass(frozen=True)
class Changes:
    """What changes between the true pictures and shuffled (first permutation) or none."""

    tallies: Mapping[str, Tally]
    """By condition"""
    sentences: Sequence[Change]
    """Those that the true pictures help most, then those that they hurt most"""


def find_changes(examples: Sequence[Example], tagged: Tagged, *, show: int) -> Changes:
    """Tallies of all sentences and up to `show` of them, half helped and half hurt.

    Where one half has fewer, the other has more. The order is that of the gain over both
    conditions; sentences with gain 0 are counted as changed and not shown.
    """
    first = {name: permutations[0] for name, permutations in tagged.tags.items()}
    gold = [example.tags or () for example in examples]
    errors = {name: _errors(gold, tags) for name, tags in first.items()}
    tallies: dict[str, Tally] = {}
    gains = [0] * len(examples)
    for name in (SHUFFLED, NONE):
        if name not in first:
            continue
        changed = [a != b for a, b in zip(first[TRUE], first[name], strict=True)]
        saved = [b - a for a, b in zip(errors[TRUE], errors[name], strict=True)]
        tallies[name] = Tally(sum(changed), sum(g > 0 for g in saved), sum(g < 0 for g in saved))
        gains = [a + b for a, b in zip(gains, saved, strict=True)]
    helped = sorted((i for i, g in enumerate(gains) if g > 0), key=lambda i: -gains[i])
    hurt = sorted((i for i, g in enumerate(gains) if g < 0), key=lambda i: gains[i])
    of_hurt = min(len(hurt), max(show // 2, show - len(helped)))
    chosen = [*helped[: show - of_hurt], *hurt[:of_hurt]]
    return Changes(
        tallies,
        [
            Change(
                examples[i],
                gains[i],
                {name: tags[i] for name, tags in first.items()},
                tagged.own[i],
                tagged.dealt[i] if tagged.dealt else (),
            )
            for i in chosen
        ],
    )


def _errors(gold: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> list[int]:
    """Of each sentence: entities predicted wrongly and gold ones missed."""
    counts = sentence_counts(gold, tags)
    return [int(n) for n in counts.predicted + counts.gold - 2 * counts.correct]
