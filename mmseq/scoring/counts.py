"""Entities of each sentence, counted: all that scores and their significance are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmseq.data.tags import spans

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Of S sentences: entities found rightly, entities predicted, entities in the gold tags."""

    correct: Integers
    """(S,)"""
    predicted: Integers
    """(S,)"""
    gold: Integers
    """(S,)"""

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def f1(self) -> float:
        """Micro F1 in points, 0 to 100; 0 where nothing is predicted and nothing is gold."""
        both = int(self.predicted.sum() + self.gold.sum())
        return 200.0 * int(self.correct.sum()) / both if both else 0.0

    def to_json(self) -> dict[str, list[int]]:
        """Three lists, a number a sentence."""
        return {name: getattr(self, name).tolist() for name in ("correct", "predicted", "gold")}

    @classmethod
    def from_json(cls, lists: Mapping[str, Sequence[int]]) -> Counts:
        """What `to_json` gave. `KeyError`, `ValueError`, `TypeError` where it is something else."""
        three = [np.array(lists[name], dtype=np.int64) for name in ("correct", "predicted", "gold")]
        if len({array.shape for array in three}) > 1:
            raise ValueError("counts of different numbers of sentences")
        return cls(*three)


def sentence_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Counts:
    """Counts of BIO tags, an entity being right by type, first and last word.

    Read as seqeval does by default: an orphan ``I-`` opens an entity.
    """
    rows = []
    for expected, given in zip(gold, predicted, strict=True):
        wanted, found = set(spans(expected)), set(spans(given))
        rows.append((len(wanted & found), len(found), len(wanted)))
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Counts(table[:, 0], table[:, 1], table[:, 2])
