"""Further fields of the six sentences: as a plugin gives them, or drawn within their bounds."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Text
from mmseq.model.field_values import Field

LEAST, MOST = -1.0, 1000.0
"""Numbers are drawn from between them, as far as the bounds of their field let them"""
ANY_SIZE = 4
"""Numbers where a field may have any number of them"""
TEXTS = ("a grey cat on a wall", "", "two people in Oslo, at night", "a map")


def with_fields(
    example: Example, extras: Mapping[str, Field], task: type[AuxTask] | None = None
) -> Example:
    """The sentence with every field that is read; those of a `task` as its `check_fields` says."""
    draw = random.Random(len(example.tokens))
    fields = dict(example.extras)
    for name, entries in extras.items():
        fields[name] = _drawn(draw, example, name, entries)
    own = {} if task is None else task.check_fields(example)
    return replace(example, extras={**fields, **own})


def _drawn(draw: random.Random, example: Example, name: str, entries: Field) -> Any:
    if isinstance(entries, Text):
        return TEXTS[len(example.tokens) % len(TEXTS)]
    low, high = _range(entries)
    size = entries.size or ANY_SIZE
    if isinstance(entries, PerSentence):
        # Bounds that are whole numbers are as a rule those of classes.
        if (low, high) == (entries.low, entries.high) and low == int(low) and high == int(high):
            return [draw.randint(int(low), int(high)) for _ in range(size)]
        return [draw.uniform(low, high) for _ in range(size)]
    if name in example.extras and size == ANY_SIZE:
        # Boxes lie on the page whatever its units are.
        unit = entries.high / 1000 if entries.high < 1e9 else 1.0
        return [[place * unit for place in box] for box in example.extras[name]]
    return [[draw.uniform(low, high) for _ in range(size)] for _ in example.tokens]


def _range(entries: PerWord | PerSentence) -> tuple[float, float]:
    """From `LEAST` to `MOST` as far as the bounds reach; beside that, the part that is nearest."""
    low, high = max(entries.low, LEAST), min(entries.high, MOST)
    if entries.low > MOST:
        return entries.low, min(entries.high, entries.low + MOST)
    if entries.high < LEAST:
        return max(entries.low, entries.high - MOST), entries.high
    return low, high
