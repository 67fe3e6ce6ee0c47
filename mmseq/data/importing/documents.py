"""What the formats give: annotated texts, and sentences that are cut into words already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class CharSpan:
    """An annotated stretch of a text."""

    start: int
    """First character"""
    end: int
    """After the last character"""
    type: str
    text: str | None = None
    """What the file says stands there, if it does"""


@dataclass(frozen=True)
class Content:
    """A picture that is part of the data."""

    name: str
    bytes: bytes


@dataclass(frozen=True)
class Place:
    """Where something was read."""

    file: Path
    line: int = 0
    """From 1; 0: the format has no lines"""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True)
class Document:
    """An annotated text."""

    place: Place
    text: str
    spans: tuple[CharSpan, ...] = ()
    images: tuple[str | Content, ...] = ()
    id: str = ""
    words: tuple[tuple[int, int], ...] | None = None
    """First character and the one after the last of each word, where the file says it"""
    sentences: tuple[tuple[int, int], ...] | None = None
    """The same of each sentence, where the file says it"""
    extras: Mapping[str, Any] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    """What the file holds beside spans, such as relations -> how many"""


@dataclass(frozen=True)
class Words:
    """A sentence."""

    place: Place
    tokens: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    """As written, in whatever scheme; None: not annotated"""
    images: tuple[str | Content, ...] = ()
    id: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """An entry of the file that is not taken, with the reason as it is counted."""

    place: Place
    reason: str


Item = Document | Words | Skipped


@dataclass(frozen=True)
class Naming:
    """What the user says about the names in the file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role (text, tokens, tags, …) -> field of the file"""
    tags: tuple[str, ...] = ()
    """Names of tags that the file gives as numbers, by number"""


class Read(Protocol):
    """How a format reads one source: `UserError` with place and remedy for bad content."""

    def __call__(self, path: Path, naming: Naming) -> Iterator[Item]: ...
