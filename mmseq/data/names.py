"""Names of entities, and those that are ambiguous: the same words, entities of different types."""

from __future__ import annotations

from collections.abc import Iterable

from mmseq.contracts.example import Example
from mmseq.data.tags import spans

Name = tuple[str, ...]
"""Words of an entity, case-folded"""


def name_of(example: Example, start: int, end: int) -> Name:
    """The name of the entity from word `start` to the word before `end`."""
    return tuple(word.casefold() for word in example.tokens[start:end])


def ambiguous_names(examples: Iterable[Example]) -> frozenset[Name]:
    """Names that are entities of more than one type."""
    types: dict[Name, set[str]] = {}
    for example in examples:
        for start, end, kind in spans(example.tags or ()):
            types.setdefault(name_of(example, start, end), set()).add(kind)
    return frozenset(name for name, kinds in types.items() if len(kinds) > 1)
