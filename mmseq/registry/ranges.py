"""Types of options that have limits; a value outside them is a `UserError` that names them.

A component annotates an option with one of these, or with a range of its own from the package
`annotated_types`: ``patience: Annotated[int, annotated_types.Ge(3)] = 5``. To a type checker they
are int and float. The engine checks them when it reads a config, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt

Count = Annotated[int, Ge(1)]
"""Layers, heads, widths, epochs: 1 or more"""
Natural = Annotated[int, Ge(0)]
"""A number where 0 means none: 0 or more"""
Positive = Annotated[float, Gt(0)]
"""A temperature, a scale: above 0"""
NonNegative = Annotated[float, Ge(0)]
"""A learning rate, a margin: 0 or more"""
Share = Annotated[float, Ge(0), Le(1)]
"""A part of a whole: 0 to 1"""
Dropout = Annotated[float, Ge(0), Lt(1)]
"""A share that is dropped: 0 or more, below 1"""

_WORDS = {Ge: "at least {0.ge}", Gt: "above {0.gt}", Le: "at most {0.le:,}", Lt: "below {0.lt}"}


def limits(metadata: Iterable[Any]) -> str:
    """The limits of an annotation in words, as in "at least 0 and below 1"; "" where it has none.

    `metadata`: what stands in ``Annotated`` after the type.
    """
    return " and ".join(
        _WORDS[type(limit)].format(limit) for limit in _single(metadata) if type(limit) in _WORDS
    )


def _single(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item if isinstance(item, GroupedMetadata) else [item]
