"""How entities are read from tags: a score means nothing without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseq.bench.results import Result
from mmseq.errors import UserError, unknown
from mmseq.scoring.metrics import VARIANTS

DEFAULT = "default"
"""In which the literature prints scores, and in which results count entities of each sentence"""
EXPLAINED = {
    DEFAULT: "seqeval's default: an orphan I- tag opens an entity",
    "strict": "strict IOB2: an orphan I- tag is not an entity",
    "repaired": "repaired: orphan I- tags of gold and prediction made B- before scoring",
}


def check_variant(variant: str) -> None:
    """`UserError` for anything but one of the three."""
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)


def scores_of(result: Result, split: str, variant: str) -> Mapping[str, Any]:
    """``precision``, ``recall``, ``f1`` (0 to 100), ``gold`` and ``predicted`` of a split.

    `UserError` where the run was scored before there was this variant.
    """
    scores = result.scores[split]
    if variant == DEFAULT:
        return scores
    found = scores.get(variant)
    if not isinstance(found, Mapping):
        raise UserError(
            f"{result.system}, {result.data}, seed {result.seed}: its {split} scores have no "
            f"'{variant}' (made by an older version); run it again, or choose another --variant."
        )
    return found
