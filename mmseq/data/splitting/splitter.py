"""A learned word splitter: a string to words that know where they stand in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from mmseq.data.splitter import Word
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.joints import LOOSE, Joined, joined
from mmseq.errors import UserError, unknown

_CHUNK = re.compile(r"\S+")
_REMEMBERED = 100
"""Characters of the longest string that is remembered: most strings come again and again"""

LONGEST_WHOLE = 64
"""Characters of the longest word that is learned by heart: what is longer seldom comes again"""

Pieces = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Splitter:
    """A base, and what the training words say beside it; linear in the length of a text.

    `UserError` for a base that does not exist.
    """

    base: str
    joints: Mapping[str, bool] = field(default_factory=dict)
    """Kinds of places where words may meet (`mmseq.data.splitting.joints`) -> whether training
    mostly keeps together what meets there; every other place is the base's"""
    whole: frozenset[str] = frozenset()
    """Training words that would be cut, or taken for a part of another word"""
    longest: int = 0
    """Characters of the longest training word; 0: not known"""
    scripts: frozenset[str] = frozenset()
    """Scripts of the training words"""

    def __post_init__(self) -> None:
        if self.base not in BASES:
            raise unknown("word splitter", self.base, BASES)

    def split(self, text: str) -> list[Word]:
        """The words of `text`, in order, without overlap; only white space lies between them.

        A letter is never cut from its marks, nor an emoji from its parts.
        """
        words = []
        for match in _CHUNK.finditer(text):
            string, first = match.group(), match.start()
            for start, end in self.pieces(string):
                words.append(Word(string[start:end], first + start, first + end))
        return words

    def pieces(self, string: str) -> Pieces:
        """Where the words of a string without white space begin and end."""
        return self._remembered(string) if len(string) <= _REMEMBERED else self._cut(string)

    @cached_property
    def _remembered(self) -> Callable[[str], Pieces]:
        return lru_cache(maxsize=1 << 15)(self._cut)

    def _cut(self, string: str) -> Pieces:
        return self.pieces_of(string, joined(string, self.base))

    def pieces_of(self, string: str, chunk: Joined) -> Pieces:
        """The same, the base's chunk of it and its joints being known."""
        return self._merged(string, *self.borders_of(string, chunk))

    def borders_of(self, string: str, chunk: Joined) -> tuple[list[int], Set[int]]:
        """Where the string is cut before whole words are looked for; and which of these places stay
        together where no whole word is found.
        """
        cuts, loose = set(chunk.cuts), set()
        for place, kind, coarse in chunk.joints:
            kept = self.joints.get(kind)
            if kept is None:
                kept = self.joints.get(coarse)
            if kept and kind == LOOSE:
                loose.add(place)
            elif kept is not None:
                (cuts.discard if kept else cuts.add)(place)
        return [0, *(chunk.origin[c] for c in sorted(cuts)), len(string)], loose

    def _merged(self, string: str, borders: list[int], loose: Set[int]) -> Pieces:
        """The pieces between `borders`, those that are a whole word together as one: at each place
        the longest. What remains of a run that is cut only to find whole words is one word.
        """
        if not self.whole and not loose:
            return tuple(zip(borders, borders[1:], strict=False))
        merged: list[tuple[int, int]] = []
        index, remains = 0, False
        while index < len(borders) - 1:
            start, found = borders[index], 0
            for end in range(index + 1, len(borders)):
                word = string[start : borders[end]]
                if word not in self._beginnings:
                    break
                if word in self.whole:
                    found = end
            if remains and not found and start in loose:
                merged[-1] = (merged[-1][0], borders[index + 1])
            else:
                merged.append((start, borders[found or index + 1]))
            remains = not found
            index = found or index + 1
        return tuple(merged)

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        """Of every whole word all beginnings: what is none of them need not be looked at further,
        and none is longer than `LONGEST_WHOLE`.
        """
        return frozenset(word[:end] for word in self.whole for end in range(1, len(word) + 1))

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "base": self.base,
            "joints": dict(sorted(self.joints.items())),
            "whole": sorted(self.whole),
            "longest": self.longest,
            "scripts": sorted(self.scripts),
        }


def splitter_from(record: Any) -> Splitter:
    """The splitter of a `record`; `ValueError` saying what is wrong with another one."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    base, longest = record.get("base"), record.get("longest", 0)
    kinds, whole, scripts = (record.get(key) for key in ("joints", "whole", "scripts"))
    if not isinstance(base, str):
        raise ValueError("no base")
    if not isinstance(kinds, dict) or not all(isinstance(v, bool) for v in kinds.values()):
        raise ValueError("joints are not kinds with true or false")
    for name, words in (("whole", whole), ("scripts", scripts)):
        if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
            raise ValueError(f"{name} is not a list of words")
    if not isinstance(longest, int) or isinstance(longest, bool) or longest < 0:
        raise ValueError("longest is not a number of characters")
    try:
        return Splitter(base, kinds, frozenset(whole or ()), longest, frozenset(scripts or ()))
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from error
