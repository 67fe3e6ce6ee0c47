"""Words as a person would write them: a text, and where in it each word stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmseq.data.splitting.characters import (
    APOSTROPHES,
    DIGIT,
    LETTER,
    closes,
    closes_bracket,
    is_sign,
    opens,
    sort_of,
    unspaced,
)

_QUOTES = {mark: family for family in ('"', "“”„‟", "«»", "‹›", "‚") for mark in family}
_CLITIC = 2
"""Letters of the longest word that is written at the one before, behind its apostrophe: ``'re``"""
_ELISION = 3
"""Letters of the longest word that the next one is written at: ``qu'``"""

Places = tuple[tuple[int, int], ...]
"""First character and the one after the last, of each word"""


def written(tokens: Sequence[str]) -> str:
    """The text that a person would write for these words.

    No space stands before closing or after opening punctuation that stands alone, of any script;
    around an apostrophe between letters; after a lone ``#`` or ``@``; and inside scripts that have
    none. Quotation marks open and close by turns.
    """
    return written_places(tokens)[0]


def written_places(tokens: Sequence[str]) -> tuple[str, Places]:
    """`written`, and where each word stands in it."""
    return _placed(tokens, [False, *_together(tokens)])


def spaced_places(tokens: Sequence[str]) -> tuple[str, Places]:
    """The words joined by spaces, and where each stands."""
    return _placed(tokens, [False] * len(tokens))


def _placed(tokens: Sequence[str], together: Iterable[bool]) -> tuple[str, Places]:
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    end = 0
    for token, close in zip(tokens, together, strict=False):
        if parts and not close:
            parts.append(" ")
            end += 1
        parts.append(token)
        places.append((end, end + len(token)))
        end += len(token)
    return "".join(parts), tuple(places)


def _together(tokens: Sequence[str]) -> list[bool]:
    """For each word but the first, whether it is written at the one before."""
    before, after = _quotes(tokens)
    found = []
    for index in range(1, len(tokens)):
        left, right = tokens[index - 1], tokens[index]
        found.append(
            before[index]
            or after[index - 1]
            or _is_closing(right)
            or (bool(left) and all(map(opens, left)))
            or left in ("#", "@", "＃", "＠")
            or _unspaced_between(left, right)
            or _elided(left, right)
        )
    return found


def _is_closing(token: str) -> bool:
    """``.``, ``?!``, ``))``; not ``:)``, which is an emoticon."""
    brackets = sum(map(closes_bracket, token))
    return bool(token) and brackets in (0, len(token)) and all(map(closes, token))


def _quotes(tokens: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Of each word, whether as an apostrophe or quotation mark it is written at the one before, and
    whether the next one is written at it.
    """
    before, after = [False] * len(tokens), [False] * len(tokens)
    open_ones: set[str] = set()
    for index, token in enumerate(tokens):
        left = tokens[index - 1][-1:] if index else ""
        right = tokens[index + 1][:1] if index + 1 < len(tokens) else ""
        if len(token) == 1 and token in APOSTROPHES:
            lettered = _is_letter(left), _is_letter(right)
            before[index] = lettered[0] and token != "‘" or all(lettered)
            after[index] = lettered[1] and (all(lettered) or not lettered[0] or token == "‘")
        elif token in _QUOTES:
            closing = _QUOTES[token] in open_ones
            open_ones ^= {_QUOTES[token]}
            before[index], after[index] = closing, not closing
    return before, after


def _is_letter(character: str) -> bool:
    return bool(character) and sort_of(character) == LETTER


def _unspaced_between(left: str, right: str) -> bool:
    """Neither a script without spaces nor digits beside it are written apart."""
    if not left or not right:
        return False
    here, there = unspaced(left[-1]), unspaced(right[0])
    if here and there:
        return True
    other = right[0] if here else left[-1]
    # A wide sign has its space within.
    sign = is_sign(left[-1]) if here else is_sign(right[0])
    return (here or there) and (sort_of(other) == DIGIT or sign)


def _elided(left: str, right: str) -> bool:
    """``Cruz`` and ``'s``, ``do`` and ``n't``, ``l'`` and ``homme``."""
    if not (_is_letter(left[-1:]) or _is_letter(right[:1])):
        return False
    if right[:1] and right[0] in APOSTROPHES and _is_letter(left[-1:]):
        return 1 < len(right) <= 1 + _CLITIC and right[1:].isalpha()
    if right.lower() in ("n't", "n’t"):
        return True
    elided = left[-1:] and left[-1] in APOSTROPHES and 1 < len(left) <= 1 + _ELISION
    return bool(elided) and left[:-1].isalpha() and left[-2] not in "sS" and _is_letter(right[:1])
