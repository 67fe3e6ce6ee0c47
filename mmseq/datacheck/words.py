"""Words with characters that nobody sees: they are kept as they are, and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unicodedata import name as name_of

from mmseq.contracts.example import Example
from mmseq.data.hearing import SHOWN
from mmseq.data.invisible import code_point, is_odd, is_unseen
from mmseq.data.splits import Split


def odd_words(split: Split) -> dict[str, Any]:
    """By kind, how many words and where the first are: ``unseen``, of such characters alone;
    ``spaced``, with white space at an end; ``odd``, by code point, those with a character there.
    """
    unseen = _Places(split, lambda word: all(map(is_unseen, word)))
    spaced = _Places(split, lambda word: word != word.strip() and bool(word.strip()))
    odd: dict[str, _Places] = {}
    for example in split.examples:
        for index, word in enumerate(example.tokens):
            if word.isprintable() and word == word.strip() and not any(map(is_odd, word)):
                continue
            unseen.see(example, index)
            spaced.see(example, index)
            for character in dict.fromkeys(filter(is_odd, word)):
                places = odd.setdefault(_named(character), _Places(split, lambda word: True))
                places.see(example, index)
    return {
        "unseen": unseen.finding(),
        "spaced": spaced.finding(),
        "odd": {name: odd[name].finding() for name in sorted(odd)},
    }


class _Places:
    """Where words of a kind are; the first are kept."""

    def __init__(self, split: Split, belongs: Callable[[str], bool]) -> None:
        self._split, self._belongs = split, belongs
        self._count = 0
        self._first: list[str] = []

    def see(self, example: Example, index: int) -> None:
        word = example.tokens[index]
        if self._belongs(word):
            self._count += 1
            if len(self._first) < SHOWN:
                self._first.append(f"{self._split.where(example, index)} {ascii(word)}")

    def finding(self) -> dict[str, Any]:
        return {"count": self._count, "first": self._first}


def _named(character: str) -> str:
    """``U+200B zero width space``; what has no name by its number alone."""
    return f"{code_point(character)} {name_of(character, '').lower()}".strip()
