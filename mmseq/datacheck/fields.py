"""The further fields of a split's sentences: of which kind each is, and where it is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmseq.contracts.example import Example
from mmseq.data.numbers import is_number
from mmseq.errors import counted

Form = tuple[str, int]
"""A kind of field and how many numbers it has: (``text``, 0), (``word``, k), (``sentence``, k)"""
OTHER: Form = ("other", 0)
"""What no component can ask for"""
UNITS = {"word": " a word", "sentence": " a sentence"}


def further_fields(examples: Sequence[Example]) -> dict[str, dict[str, Any]]:
    """By name: its `form` in words, `low` and `high` of its numbers (None: there are none), in how
    many `sentences` it is, where it is ``missing``, and ``odd``: of no form that all before had.
    """
    names = sorted({name for example in examples for name in example.extras})
    return {name: _found(name, examples) for name in names}


def _found(name: str, examples: Sequence[Example]) -> dict[str, Any]:
    missing, odd = [], []
    common: set[Form] = set()
    low, high = math.inf, -math.inf
    number = 0
    for example in examples:
        value = example.extras.get(name)
        if value is None:
            missing.append(example.where)
            continue
        number += 1
        forms = _forms(value, len(example.tokens))
        if common and not common & forms:
            odd.append(example.where)
            continue
        common = common & forms or forms
        numbers = _numbers(value) or []
        low, high = min([low, *numbers]), max([high, *numbers])
    return {
        "form": _told(common),
        "low": low if low < math.inf else None,
        "high": high if high > -math.inf else None,
        "sentences": number,
        "missing": missing,
        "odd": odd,
    }


def _forms(value: Any, words: int) -> set[Form]:
    """As which it can be read: a list of as many numbers as words may be of either kind."""
    if isinstance(value, str):
        return {("text", 0)}
    if not isinstance(value, list | tuple):
        return {("sentence", 1)} if is_number(value) else {OTHER}
    found: set[Form] = set()
    if value and all(map(is_number, value)):
        found.add(("sentence", len(value)))
    sizes = {len(entry) if isinstance(entry, list | tuple) else 1 for entry in value}
    if len(value) == words and len(sizes) == 1 and 0 not in sizes and _numbers(value) is not None:
        found.add(("word", sizes.pop()))
    return found or {OTHER}


def _numbers(value: Any) -> list[float] | None:
    """All numbers in it; None where there is anything else."""
    entries = value if isinstance(value, list | tuple) else [value]
    flat = [n for e in entries for n in (e if isinstance(e, list | tuple) else [e])]
    return flat if all(map(is_number, flat)) else None


def _told(forms: set[Form]) -> str:
    # Of all sentences: that lists are as long as sentences, throughout, is no chance.
    kind, size = max(forms, default=OTHER)
    if kind not in UNITS:
        return kind
    return f"{counted(size, 'number')}{UNITS[kind]}"
