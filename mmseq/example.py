"""One sentence as it is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmseq.errors import UserError
from mmseq.labels import map_types, spans


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence with its tags and pictures."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    """BIO, one a word; None where the data has none"""
    images: tuple[Path, ...] = ()
    """As the reader gives them: names; after loading: files in the picture folder"""
    id: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Every further field, as read"""
    file: Path | None = None
    line: int = 0
    """Where it was read: line of the first word (CoNLL) or of the object (JSONL), from 1"""

    @property
    def where(self) -> str:
        """``file:line`` for messages; of a sentence that is from no file, its name."""
        if self.file is None:
            return f"sentence '{self.id}'" if self.id else "the sentence"
        return f"{self.file}:{self.line}"


def renamed(example: Example, mapping: Mapping[str, str]) -> Example:
    """The sentence with the types of its tags renamed; ``O`` drops one."""
    return replace(example, tags=example.tags and map_types(example.tags, mapping))


@dataclass(frozen=True)
class Facts:
    """What is said of many sentences as a whole."""

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


def per_word(
    example: Example, field: str, reader: str = "a component of this run"
) -> list[list[float]]:
    """A numeric field with one entry a word: a number or a list of numbers, here always a list.

    `reader` names who reads it. `UserError` where it is missing, of another length, not numeric or
    uneven.
    """
    values = example.extras.get(field)
    need = f"{example.where}: field '{field}'"
    count = len(example.tokens)
    if values is None:
        remedy = "add it to the data, or choose a component that does without"
        if example.file is None:
            remedy = "give it with the sentence (--input FILE.jsonl; in Python `extras`)"
        raise UserError(f"{need} is missing; {reader} reads it, one entry a word: {remedy}.")
    if not isinstance(values, list | tuple) or len(values) != count:
        size = f"{len(values)} entries" if isinstance(values, list | tuple) else "no list"
        raise UserError(f"{need} has {size} for {count} words; it needs one entry a word.")
    rows = [list(v) if isinstance(v, list | tuple) else [v] for v in values]
    for index, row in enumerate(rows):
        if not all(_is_number(v) for v in row) or len(row) != len(rows[0]) or not row:
            raise UserError(
                f"{need}, entry {index + 1}: {values[index]!r} is not a number or a list of as "
                "many numbers as the first; mend it."
            )
    return [[float(v) for v in row] for row in rows]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
