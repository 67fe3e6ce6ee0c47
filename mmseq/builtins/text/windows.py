"""Sentences longer than an encoder's window, cut into overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowedSentence:
    """A sentence as rows of sub-word ids, and where each word lies."""

    windows: tuple[tuple[int, ...], ...]
    """Ids with the special tokens"""
    row: tuple[int, ...]
    """Of each word: its window"""
    first: tuple[int, ...]
    """Of each word: position of its first sub-word in that window"""
    last: tuple[int, ...]
    """Of each word: position after its last sub-word"""
    marks: tuple[tuple[int, ...], ...] = ()
    """A number for each sub-word, windowed like the ids; empty where none were given"""


def cut(
    words: Sequence[Sequence[int]],
    before: Sequence[int],
    after: Sequence[int],
    window: int,
    marks: Sequence[int] = (),
) -> WindowedSentence:
    """`words` (sub-word ids of each word) as one window, or as several that overlap by half.

    A word is taken from the window in which it is most central: the one that shows it the most
    sub-words on its poorer side, where a side that ends with the sentence counts as rich. A single
    word longer than a window is cut short, never dropped. `marks`: a number a word, given to each
    of its sub-words; special tokens have 0.
    """
    room = window - len(before) - len(after)
    words = [list(word[:room]) for word in words]
    ranges = _ranges([len(word) for word in words], room)
    best: list[tuple[float, int, int]] = [(-1.0, 0, 0)] * len(words)
    for row, (start, end) in enumerate(ranges):
        total = sum(len(word) for word in words[start:end])
        position = 0
        for index in range(start, end):
            left = float(position) if start else float("inf")
            right = total - position - len(words[index])
            centrality = min(left, float(right) if end < len(words) else float("inf"))
            if centrality > best[index][0]:
                best[index] = (centrality, row, position + len(before))
            position += len(words[index])

    def windowed(
        rows: Sequence[Sequence[int]], left: Sequence[int], right: Sequence[int]
    ) -> tuple[tuple[int, ...], ...]:
        return tuple((*left, *(i for row in rows[s:e] for i in row), *right) for s, e in ranges)

    marked = [[mark] * len(word) for mark, word in zip(marks, words, strict=True)] if marks else []
    return WindowedSentence(
        windows=windowed(words, before, after),
        marks=windowed(marked, [0] * len(before), [0] * len(after)) if marked else (),
        row=tuple(row for _, row, _ in best),
        first=tuple(first for _, _, first in best),
        last=tuple(first + len(word) for (_, _, first), word in zip(best, words, strict=True)),
    )


def _ranges(lengths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Word ranges (start, end), each of at most `room` sub-words, stepping by about half."""
    ranges: list[tuple[int, int]] = []
    start = 0
    while True:
        end, used = start, 0
        while end < len(lengths) and used + lengths[end] <= room:
            used += lengths[end]
            end += 1
        ranges.append((start, end))
        if end == len(lengths):
            return ranges
        half, step = start, 0
        while half < end and step + lengths[half] <= used // 2:
            step += lengths[half]
            half += 1
        start = max(half, start + 1)
        # Long words: a window that ends where this one does would show nothing new.
        while sum(lengths[start : end + 1]) > room:
            start += 1
