"""The words and characters that an encoder knows, learned from the training text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from mmseq.shapes import Shape, Whole, fault

UNKNOWN = 0
"""Id of every word without one of its own"""
PADDING, UNKNOWN_CHARACTER = 0, 1
FIRST_CHARACTER = 2


class _Fitted(Shape):
    words: list[str]
    singletons: Whole
    further: list[str]
    characters: list[str]


@dataclass(frozen=True)
class Vocabulary:
    """Words and characters by id.

    A word has the id of its form as written; else that of its lower-cased form; else `UNKNOWN`.
    """

    words: tuple[str, ...]
    """Of the training text, most frequent first; the first has id 1"""
    singletons: int
    """So many of the last `words` were seen once"""
    further: tuple[str, ...]
    """Words outside the training text that have a vector; their ids follow"""
    characters: tuple[str, ...]
    """Seen at least twice, so that what is seen once trains the vector of the unknown ones"""

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], listed: Sequence[str]) -> Vocabulary:
        """That of the training `sentences`, and of the words `listed` with vectors."""
        counts = Counter(word for sentence in sentences for word in sentence)
        characters: Counter[str] = Counter()
        for word, count in counts.items():
            for character in word:
                characters[character] += count
        words = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(
            tuple(words),
            sum(count == 1 for count in counts.values()),
            tuple(dict.fromkeys(word for word in listed if word not in counts)),
            tuple(sorted(character for character, count in characters.items() if count > 1)),
        )

    @classmethod
    def from_json(cls, fitted: Mapping[str, Any]) -> Vocabulary:
        """What `to_json` gave; further keys are left alone. `ValueError` for anything else."""
        if wrong := fault(_Fitted, fitted):
            raise ValueError(f"fitted.json: {wrong}")
        return cls(
            tuple(fitted["words"]),
            int(fitted["singletons"]),
            tuple(fitted["further"]),
            tuple(fitted["characters"]),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            name: value if name == "singletons" else list(value)
            for name, value in asdict(self).items()
        }

    @cached_property
    def _word_ids(self) -> dict[str, int]:
        return {word: place for place, word in enumerate((*self.words, *self.further), 1)}

    @cached_property
    def _character_ids(self) -> dict[str, int]:
        return {c: place for place, c in enumerate(self.characters, FIRST_CHARACTER)}

    def word_id(self, word: str) -> int:
        found = self._word_ids.get(word)
        return self._word_ids.get(word.lower(), UNKNOWN) if found is None else found

    def character_ids(self, word: str) -> tuple[int, ...]:
        """At least one: an empty word is one unknown character."""
        ids = (self._character_ids.get(character, UNKNOWN_CHARACTER) for character in word)
        return tuple(ids) or (UNKNOWN_CHARACTER,)
