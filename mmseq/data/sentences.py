"""One sentence as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmseq.contracts.example import OPEN, Example
from mmseq.data.tags import map_types, spans
from mmseq.errors import UserError


def renamed(example: Example, mapping: Mapping[str, str]) -> Example:
    """The sentence with the types of its tags renamed; ``O`` drops one."""
    return replace(example, tags=example.tags and map_types(example.tags, mapping))


def with_files(example: Example, find: Callable[[Path], Path]) -> Example:
    """The sentence with the files of its pictures' names; `UserError` naming it where `find` raises
    one.
    """
    try:
        return replace(example, images=tuple(find(image) for image in example.images))
    except UserError as error:
        raise UserError(f"{example.where}: {error}") from error


def is_annotated(example: Example) -> bool:
    """Whether its tags, if it has any, are more than open words."""
    return example.tags is None or any(tag != OPEN for tag in example.tags)


@dataclass(frozen=True)
class Facts:
    """Facts about many sentences as a whole."""

    sentences: int
    entities: int
    """As seqeval's default reads them; those whose extent is known"""
    pictured: int
    """Sentences that name a picture"""
    tags: tuple[str, ...]
    """Those that occur, sorted, without that of open words"""
    untagged: int | None
    """Number of the first sentence without tags, from 0; None: there is none"""
    words: int = 0
    """Counted where there are open ones; else 0"""
    open_words: int = 0
    """Words that the annotation leaves open"""
    unknown: int = 0
    """Sentences of open words alone"""
    first_open: int | None = None
    """Number of the first sentence with an open word, from 0; None: there is none"""

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Facts:
        """The facts of these."""
        sentences = entities = pictured = words = open_words = unknown = 0
        tags: set[str] = set()
        untagged = first_open = None
        for number, example in enumerate(examples):
            sentences += 1
            entities += len(spans(example.tags or ()))
            pictured += bool(example.images)
            tags.update(example.tags or ())
            if example.tags is None and untagged is None:
                untagged = number
            words += len(example.tokens)
            if example.tags and OPEN in example.tags:
                first_open = number if first_open is None else first_open
                open_words += example.tags.count(OPEN)
                unknown += not is_annotated(example)
        return cls(
            sentences,
            entities,
            pictured,
            tuple(sorted(tags - {OPEN})),
            untagged,
            words if open_words else 0,
            open_words,
            unknown,
            first_open,
        )
