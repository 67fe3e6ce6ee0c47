"""Joints: the kinds of places inside a string without white space where words may meet.

A kind is what stands at both sides: ``a'|aaa`` is the place behind the apostrophe of ``O'Neil``.
``a``, ``aa``, ``aaa``: one, two, three and more letters (``.a``: one behind a dot, as the last of
``U.S.``); ``0`` digits; ``x`` a letter of a script without spaces; ``e`` an emoji or another
picture; ``n`` and ``t`` those of ``n't``; a sign stands for itself. ``|`` where the base cuts,
``‿`` where it does not. Beside each kind stands a coarser one, whose letters are ``L`` however many
there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmseq.data.splitting.bases import Chunk
from mmseq.data.splitting.characters import DIGIT, LETTER, PICTURE, UNSPACED, sort_of

_CUT, _KEPT = "|", "‿"
LOOSE = f"{UNSPACED}{_CUT}{UNSPACED}"
"""Two letters of a script without spaces: where training mostly keeps them together, its words have
several of them, and a text is cut there only to find its whole words"""


class Joined(NamedTuple):
    """A string without white space as a base cuts it, and its joints."""

    cuts: frozenset[int]
    origin: Sequence[int]
    """Place in the chunk's text -> in the string"""
    joints: tuple[tuple[int, str, str], ...]
    """Place in the chunk's text, kind, coarser kind"""


def joined(string: str, base: str) -> Joined:
    """The string as `base` cuts it. There is nothing to say about letters alone and white space."""
    if base == "whitespace" or (string.isascii() and string.isalpha()):
        return Joined(frozenset(), range(len(string) + 1), ())
    chunk = Chunk(string, base)
    return Joined(frozenset(chunk.cuts), chunk.origin, tuple(_joints(chunk)))


def _joints(chunk: Chunk) -> Iterator[tuple[int, str, str]]:
    text, begins = chunk.text, chunk.starts
    sorts = [sort_of(text[place]) for place in begins]
    _mark_negations(text, begins, sorts)
    fine = _by_length(sorts)
    last = len(sorts)
    for index in range(1, last):
        left, right = sorts[index - 1], sorts[index]
        if left == right and left in (LETTER, DIGIT):
            continue
        place = begins[index]
        if left == right == UNSPACED and place not in chunk.cuts:
            # To cut there is the base's alone.
            continue
        first, end = index - 1, index + 1
        # What a sign stands between tells more than the sign.
        if _is_sign(left) and not _is_sign(right):
            first = max(index - 2, 0)
        if _is_sign(right) and not _is_sign(left):
            end = min(index + 2, last)
        mark = _CUT if place in chunk.cuts else _KEPT
        yield (
            place,
            f"{''.join(fine[first:index])}{mark}{''.join(fine[index:end])}",
            f"{''.join(sorts[first:index])}{mark}{''.join(sorts[index:end])}",
        )


def _is_sign(sort: str) -> bool:
    return sort not in (LETTER, DIGIT, UNSPACED, PICTURE, "n", "t")


def _mark_negations(text: str, begins: list[int], sorts: list[str]) -> None:
    """``n't`` has sorts of its own, ``n`` and ``t``: some write ``do`` and ``n't`` as two words."""
    for index in range(1, len(sorts) - 2):
        if (
            sorts[index + 1] == "'"
            and sorts[index - 1] == sorts[index] == sorts[index + 2] == LETTER
            and text[begins[index]] in "nN"
            and text[begins[index + 2]] in "tT"
            and (index + 3 == len(sorts) or sorts[index + 3] != LETTER)
        ):
            sorts[index], sorts[index + 2] = "n", "t"


def _by_length(sorts: list[str]) -> list[str]:
    """The sorts, those of letters by the length of their run."""
    fine = list(sorts)
    start = 0
    for index in range(len(sorts) + 1):
        if index < len(sorts) and sorts[index] == LETTER:
            continue
        length = index - start
        if length:
            name = "a" * min(length, 3)
            if length == 1 and start and sorts[start - 1] == ".":
                name = ".a"
            fine[start:index] = [name] * length
        start = index + 1
    return fine
