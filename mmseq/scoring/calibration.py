"""Whether scores are what they say: of entities that score 0.8, eight in ten should be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Entities whose scores are next to each other."""

    low: float
    """Least score"""
    high: float
    """Greatest score"""
    entities: int
    score: float
    """Mean"""
    right: float
    """Share of the entities that are right, 0 to 1"""


@dataclass(frozen=True)
class Calibration:
    """Predicted entities' scores against whether they are right: type and borders as in gold."""

    entities: int
    """That have a score"""
    unscored: int
    """Predicted entities without a score from 0 to 1, which are left out"""
    expected_error: float | None
    """Mean over entities of how far their bin's mean score is from its share of right ones (ECE
    over bins of equal number); None without an entity"""
    brier: float | None
    """Mean square of score less 1 where the entity is right, and of score where it is not"""
    bins: tuple[Bin, ...]
    """In the order of scores"""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bins": [asdict(part) for part in self.bins]}


def calibration(scores: Sequence[float | None], right: Sequence[bool]) -> Calibration:
    """Of E predicted entities: their `scores`, 0 to 1 (None: none), and whether they are `right`.

    Bins are ten of equal number, of fewer than ten entities one each. Equal scores stay together,
    in the bin that holds their middle, so that no order among them counts: bins may then be fewer,
    and unlike in number.
    """
    pairs = [(s, bool(r)) for s, r in zip(scores, right, strict=True) if s is not None]
    left_out = len(scores) - len(pairs)
    if not pairs:
        return Calibration(0, left_out, None, None, ())
    bins = tuple(map(_bin, _parts(sorted(pairs))))
    gaps = [part.entities * abs(part.score - part.right) for part in bins]
    brier = fmean((score - hit) ** 2 for score, hit in pairs)
    return Calibration(len(pairs), left_out, sum(gaps) / len(pairs), brier, bins)


def _parts(pairs: Sequence[tuple[float, bool]]) -> list[list[tuple[float, bool]]]:
    parts: dict[int, list[tuple[float, bool]]] = {}
    before = 0
    for _, group in groupby(pairs, key=lambda pair: pair[0]):
        alike = list(group)
        # Twice the place of their middle, in whole numbers.
        place = BINS * (2 * before + len(alike)) // (2 * len(pairs))
        parts.setdefault(place, []).extend(alike)
        before += len(alike)
    return list(parts.values())


def _bin(pairs: Sequence[tuple[float, bool]]) -> Bin:
    scores = [score for score, _ in pairs]
    share = sum(hit for _, hit in pairs) / len(pairs)
    return Bin(scores[0], scores[-1], len(pairs), fmean(scores), share)
