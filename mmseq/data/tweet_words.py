"""What nltk's tweet tokenizer takes for words, in time by the length of a string.

Its pattern tries the same run of signs again from each of them: a string of ``#``, of ``-``, or of
``<`` that no ``>`` follows takes time by the square of its length. In long strings those places
are passed over here at which, as the pattern stands, nothing else can come than what came before.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_SHORT = 200
"""Characters of the longest string that the pattern is given as it is"""
_FAR = 256
"""Characters of a link or an address that the pattern looks at before its first dot or ``@``"""
_NEAR = 32
"""Characters that are enough for most words that begin with ``<``"""
_END_OF_TAG = re.compile(r"[>\s](?<![\x1c-\x1f])")
"""Where a tag ends, or can be none; separators are white space to Python, and not to the pattern"""

Place = tuple[int, int]


def tweet_words(text: str) -> list[Place]:
    """Starts and ends of the words in a string without white space: those of the pattern's matches
    one after the other.
    """
    pattern = _word_pattern()
    try:
        if len(text) <= _SHORT:
            return [match.span() for match in pattern.finditer(text)]
        return _found(pattern, text)
    except TimeoutError:
        # nltk gives up on strings made to keep its pattern busy.
        return [(0, len(text))]


@cache
def _word_pattern() -> Any:
    from nltk.tokenize.casual import TweetTokenizer

    # Without its phone numbers: they span several words.
    return TweetTokenizer().WORD_RE


def _found(pattern: Any, text: str) -> list[Place]:
    found: list[Place] = []
    place, stop = 0, -1
    while place < len(text):
        sign = text[place]
        if sign == "<" and stop <= place:
            end_of_tag = _END_OF_TAG.search(text, place + 1)
            stop = end_of_tag.start() if end_of_tag else len(text)
        if sign == "<" and text[stop : stop + 1] != ">":
            match = _no_tag(pattern, text, place)
        else:
            match = pattern.match(text, place)
        if match is None:
            # White space, which an HTML entity stood for.
            place += 1
            continue
        found.append(match.span())
        end = match.end()
        if end == place + 1 and sign in "#-":
            run = _end_of_run(text, place)
            # No hashtag and no arrow begins in this run: from within it looks the same. What its
            # last signs may begin is something else, which may reach far behind them.
            alone = run - (1 if sign == "#" else _FAR)
            found.extend((other, other + 1) for other in range(end, alone))
            end = max(end, alone)
        place = end
    return found


def _no_tag(pattern: Any, text: str, place: int) -> Any:
    """The match that begins at a ``<`` which begins no tag: the pattern need not look at all the
    rest for its end.
    """
    room = _NEAR
    while True:
        match = pattern.match(text, place, place + room)
        # What ends well before the end of what was looked at would end there in any case.
        if match.end() < place + room // 2 or place + room >= len(text):
            return match
        room *= 2


def _end_of_run(text: str, place: int) -> int:
    sign, end = text[place], place + 1
    while end < len(text) and text[end] == sign:
        end += 1
    return end
