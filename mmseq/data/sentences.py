"""One sentence as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mmseq.contracts.example import Example
from mmseq.data.tags import map_types, spans


def renamed(example: Example, mapping: Mapping[str, str]) -> Example:
    """The sentence with the types of its tags renamed; ``O`` drops one."""
    return replace(example, tags=example.tags and map_types(example.tags, mapping))


@dataclass(frozen=True)
class Facts:
    """Facts about many sentences as a whole."""

    sentences: int
    entities: int
    """As seqeval's default reads them"""
    pictured: int
    """Sentences that name a picture"""
    tags: tuple[str, ...]
    """Those that occur, sorted"""
    untagged: int | None
    """Number of the first sentence without tags, from 0; None: there is none"""

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Facts:
        """The facts of these."""
        sentences = entities = pictured = 0
        tags: set[str] = set()
        untagged = None
        for number, example in enumerate(examples):
            sentences += 1
            entities += len(spans(example.tags or ()))
            pictured += bool(example.images)
            tags.update(example.tags or ())
            if example.tags is None and untagged is None:
                untagged = number
        return cls(sentences, entities, pictured, tuple(sorted(tags)), untagged)
