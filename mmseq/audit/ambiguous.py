"""Ambiguous names: the same words, entities of different types. There a picture can decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmseq.contracts.example import Example
from mmseq.data.names import Name, ambiguous_names, name_of
from mmseq.data.tags import spans
from mmseq.scoring.counts import Counts

Span = tuple[int, int, str]
"""First word, word after the last, type"""


@dataclass(frozen=True)
class AmbiguousEntities:
    """The gold entities of S sentences whose names are ambiguous."""

    places: list[set[Span]]
    """(S)"""
    source: str
    """Where their names have several types: ``training data`` or ``audited data``"""

    @property
    def entities(self) -> int:
        return sum(map(len, self.places))

    def counts(self, tags: Sequence[Sequence[str]]) -> Counts:
        """Found by BIO `tags`, with type and words; ``f1`` of these counts is the recall, since as
        many count as predicted as there are.
        """
        found = [len(p & set(spans(t))) for p, t in zip(self.places, tags, strict=True)]
        gold = np.array([len(p) for p in self.places], dtype=np.int64)
        return Counts(np.array(found, dtype=np.int64), gold, gold)


def ambiguous_entities(
    audited: Sequence[Example], training: Iterable[Example]
) -> AmbiguousEntities:
    """Gold entities of `audited` whose names are entities of more than one type in `training`.

    Where there is none (names of the audited data may all be new), those whose names have more
    than one type in the audited data itself: gold tags then choose which entities are looked at,
    for all conditions alike.
    """
    by_training = AmbiguousEntities(_places(audited, ambiguous_names(training)), "training data")
    if by_training.entities:
        return by_training
    return AmbiguousEntities(_places(audited, ambiguous_names(audited)), "audited data")


def _places(examples: Sequence[Example], names: frozenset[Name]) -> list[set[Span]]:
    return [
        {(s, e, kind) for s, e, kind in spans(x.tags or ()) if name_of(x, s, e) in names}
        for x in examples
    ]
