"""The least score of an entity that is not left out."""

from __future__ import annotations

from numbers import Real

from mmseq.errors import UserError


def check_min_score(min_score: float | None, best: int | None) -> None:
    """`UserError` for a least score that cannot be, or beside several ways to tag a sentence."""
    if min_score is None:
        return
    number = isinstance(min_score, Real) and not isinstance(min_score, bool)
    if not number or not 0 <= min_score <= 1:
        raise UserError(f"min_score = {min_score!r}: give a probability, from 0 to 1.")
    if best is not None:
        raise UserError(
            "--min-score and --best (in Python: min_score and best) cannot be had together: a way "
            "to tag a sentence is whole, and its entities' scores stand beside it."
        )
