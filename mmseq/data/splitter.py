"""Tweets and white space: the splitters of runs that have learned none."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mmseq.data.tweet_words import tweet_words
from mmseq.errors import unknown

SPLITTERS = ("whitespace", "tweet", "tweet-split")
"""Those that there were before splitters were learned"""

_CHUNK = re.compile(r"\S+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_APOSTROPHE = re.compile(r"['’]")
_JOINERS = "\u200c\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands: ``text == string[start:end]``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class EarlierSplitter:
    """Cuts the text of runs from before splitters were learned. `UserError` for another name."""

    base: str
    longest: int = 0
    """Not known"""
    scripts: frozenset[str] = frozenset()
    """Not known"""

    def __post_init__(self) -> None:
        if self.base not in SPLITTERS:
            raise unknown("word splitter", self.base, SPLITTERS)

    def split(self, text: str) -> list[Word]:
        """`split_words`."""
        return split_words(text, self.base)


def split_words(text: str, name: str) -> list[Word]:
    """The words of `text` by the splitter `name`, in order, without overlap.

    ``whitespace``: what stands between white space. ``tweet``: also punctuation apart; mentions,
    hashtags, links, emoji and emoticons whole; apostrophes inside words apart (``Cruz ' s``, as the
    Twitter NER data write). ``tweet-split``: as ``tweet``, and ``#`` and ``@`` apart from their
    names. HTML entities count as the character they stand for. `UserError` for another name.
    """
    if name not in SPLITTERS:
        raise unknown("word splitter", name, SPLITTERS)
    chunks = _CHUNK.finditer(text)
    if name == "whitespace":
        return [Word(c.group(), c.start(), c.end()) for c in chunks]
    places = (
        (chunk.start() + start, chunk.start() + end)
        for chunk in chunks
        for start, end in _tweet(chunk.group(), signs_apart=name == "tweet-split")
    )
    return [Word(text[start:end], start, end) for start, end in places]


def _tweet(chunk: str, *, signs_apart: bool) -> Iterator[tuple[int, int]]:
    """Starts and ends of the words in a string without white space."""
    if chunk.isascii() and chunk.isalpha():
        # Most are: to nltk, too, letters alone are one word.
        yield 0, len(chunk)
        return
    text, origin = plain(chunk)
    for start, end in tweet_places(text, signs_apart=signs_apart):
        # Each plain character stands for what lies between two places of the chunk.
        yield origin[start], origin[end]


def tweet_places(text: str, *, signs_apart: bool) -> Iterator[tuple[int, int]]:
    """The same in a string whose HTML entities are replaced."""
    return _cut(_whole(tweet_words(text), text), text, signs_apart=signs_apart)


def plain(chunk: str) -> tuple[str, list[int]]:
    """`chunk` with HTML entities replaced, and for each place in it the place in `chunk`."""
    characters: list[str] = []
    origin: list[int] = []
    position = 0
    for match in _ENTITY.finditer(chunk):
        character = html.unescape(match.group())
        if len(character) != 1:
            continue
        characters.extend(chunk[position : match.start()])
        origin.extend(range(position, match.start() + 1))
        characters.append(character)
        position = match.end()
    characters.extend(chunk[position:])
    origin.extend(range(position, len(chunk) + 1))
    return "".join(characters), origin


def _whole(places: Iterable[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """Words with what belongs to them: variation selectors, skin tones, joiners, a lone ``#``."""
    whole: list[tuple[int, int]] = []
    for start, end in places:
        touches = bool(whole) and whole[-1][1] == start
        alone = touches and whole[-1][0] == start - 1
        sign = alone and text[start - 1] in "#@" and text[start].isalnum()
        if sign or (touches and (_continues(text[start]) or text[start - 1] in _JOINERS)):
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole


def _continues(character: str) -> bool:
    return (
        character in _JOINERS
        or ord(character) in _SKIN_TONES
        or unicodedata.category(character) in ("Mn", "Me")
    )


def _cut(
    places: Iterable[tuple[int, int]], text: str, *, signs_apart: bool
) -> Iterator[tuple[int, int]]:
    """Words with apostrophes, and if asked the signs of hashtags and mentions, cut off."""
    for start, end in places:
        word = text[start:end]
        name = word.lstrip("#@")
        if signs_apart and (name[:1].isalnum() or name[:1] == "_"):
            yield from ((place, place + 1) for place in range(start, end - len(name)))
            start = end - len(name)
        if word[0].isalpha() and word[-1].isalpha():
            for match in _APOSTROPHE.finditer(text, start, end):
                if start < match.start():
                    yield start, match.start()
                yield match.span()
                start = match.end()
        yield start, end
