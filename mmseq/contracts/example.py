"""One sentence as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPEN = "?"
"""The tag of a word that the annotation leaves open; training data alone may have such words"""


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence with its tags and pictures."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    """BIO, one a word, or `mmseq.OPEN` where the annotation leaves a word open; None where the
    data has none
    """
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
