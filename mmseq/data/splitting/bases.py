"""The bases of splitters: where a string without white space is cut, before anything is learned."""

from __future__ import annotations

from mmseq.data.splitter import plain, tweet_places
from mmseq.data.splitting.characters import UNSPACED, is_sign, sort_of, starts

BASES = ("whitespace", "tweet", "tweet-split", "punctuation", "characters")
"""From the simplest on"""

_BLOCK = 1000
"""Characters that are cut at once: to find what is none, patterns look far ahead at every place"""


class Chunk:
    """A string without white space, as a base sees it.

    `text`: in tweets with the character that each HTML entity stands for; `origin`: for each place
    in it the place in the string; `starts`: where letters with their marks begin; `cuts`: those of
    them where the base cuts.
    """

    __slots__ = ("cuts", "origin", "starts", "text")

    def __init__(self, string: str, base: str) -> None:
        self.text: str = string
        self.origin: list[int] | range = range(len(string) + 1)
        tweets = base in ("tweet", "tweet-split")
        if tweets and "&" in string:
            self.text, self.origin = plain(string)
        self.starts = starts(self.text)
        if base == "whitespace":
            self.cuts: set[int] = set()
        elif tweets:
            found = _tweet_cuts(self.text, self.starts, signs_apart=base == "tweet-split")
            self.cuts = found & set(self.starts)
        else:
            self.cuts = _sign_cuts(self.text, self.starts, characters=base == "characters")


def _tweet_cuts(text: str, begins: list[int], *, signs_apart: bool) -> set[int]:
    cuts: set[int] = set()
    for start, end in _blocks(text, begins):
        cuts.add(start)
        cuts.update(start + p for p, _ in tweet_places(text[start:end], signs_apart=signs_apart))
    return cuts - {0}


def _blocks(text: str, begins: list[int]) -> list[tuple[int, int]]:
    """Where a long string is cut in any case, so that each part is short: between two sorts of
    characters, or two signs. A longer run of letters is in one block.
    """
    if len(text) <= _BLOCK:
        return [(0, len(text))]
    blocks, start, last = [], 0, 0
    for index in range(1, len(begins)):
        place = begins[index]
        if sort_of(text[begins[index - 1]]) != sort_of(text[place]) or is_sign(text[place]):
            last = place
        if place - start >= _BLOCK and last > start:
            blocks.append((start, last))
            start = last
    return [*blocks, (start, len(text))]


def _sign_cuts(text: str, begins: list[int], *, characters: bool) -> set[int]:
    """Every sign apart; with `characters` also every letter of scripts without spaces."""
    cuts = set()
    apart_before = True
    for place in begins:
        character = text[place]
        apart = is_sign(character) or (characters and sort_of(character) == UNSPACED)
        if apart or apart_before:
            cuts.add(place)
        apart_before = apart
    return cuts - {0}
