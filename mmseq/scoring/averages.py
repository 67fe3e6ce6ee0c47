"""Averages over types, beside the micro average over entities: macro and weighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AVERAGES = {
    "macro": "mean of the types",
    "weighted": "types by gold entities",
}
"""Averages and what people are told of each"""
_SCORES = ("precision", "recall", "f1")


def averages(
    per_type: Mapping[str, Mapping[str, Any]], predicted: Sequence[str] | set[str]
) -> dict[str, Any]:
    """``macro`` and ``weighted`` precision, recall and F1, as scikit-learn counts them; and
    ``absent``: types without a ``gold`` and without a ``predicted`` entity.

    `per_type`: of every type in the gold or the predicted entities its scores and ``support``.
    A type that nothing was predicted of has precision 0, one that is not in gold recall 0: both
    count in ``macro``; in ``weighted`` the latter weighs nothing. F1 is the mean of the types'
    F1, not that of the mean precision and recall. All are 0 without any type.
    """
    rows = list(per_type.values())
    total = sum(row["support"] for row in rows)
    return {
        "macro": {key: sum(row[key] for row in rows) / (len(rows) or 1) for key in _SCORES},
        "weighted": {
            key: sum(row[key] * row["support"] for row in rows) / (total or 1) for key in _SCORES
        },
        "absent": {
            "gold": [kind for kind, row in per_type.items() if not row["support"]],
            "predicted": [kind for kind in per_type if kind not in predicted],
        },
    }


def absent_line(scores: Mapping[str, Any]) -> str:
    """What is to be known of types that one side lacks; empty where none does."""
    absent = scores.get("absent", {})
    parts = [
        f"{', '.join(absent[side])} not in {where} ({name} 0)"
        for side, where, name in (
            ("gold", "the gold tags", "recall and F1"),
            ("predicted", "the predictions", "precision and F1"),
        )
        if absent.get(side)
    ]
    return f"In the macro average: {'; '.join(parts)}." if parts else ""
