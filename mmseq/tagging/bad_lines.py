"""Lines of an input that cannot be tagged: an error, or told and left out."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable

from mmseq.data.hearing import Hearing
from mmseq.errors import UserError
from mmseq.tagging.part_record import NOTHING, Done

SHOWN = 10
"""How many of them are told one by one"""
_WHOLE_FILE = ("header", "wrong column")
"""Kinds of readers' faults that are the whole file's"""


class BadLine(UserError):
    """What is wrong with a line that could be left out."""


class BadLines:
    """What becomes of them. Without `tell` the first one is raised; with it, they are left out, the
    first ones told and all counted. Nothing is said of those among the lines that are `done`.
    """

    def __init__(self, tell: Callable[[str], None] | None = None, done: Done = NOTHING) -> None:
        self._tell = tell
        self._done = done
        self._lines: list[int] = []
        self.seen = 0
        """Lines of the input that have been read"""
        self.with_sentence = False
        """Whether a bad line is left out with the sentence that it stands in"""

    @property
    def are_left_out(self) -> bool:
        """Whether none of them is an error."""
        return self._tell is not None

    @property
    def number(self) -> int:
        """How many were left out."""
        return self._done.left_out + len(self._lines)

    def refuse(self, error: UserError, line: int) -> None:
        """Raise a `BadLine` as the error, which names the line, or leave the line out."""
        if 0 < line <= self._done.lines:
            return
        if self._tell is None:
            raise BadLine(str(error)) from error
        insort(self._lines, line)
        if len(self._lines) <= SHOWN:
            self._tell(f"{str(error).rstrip('.')}; left out.")

    def through(self, line: int) -> int:
        """How many were left out up to a line."""
        return self._done.left_out + bisect_right(self._lines, line)

    def hearing(self) -> Hearing:
        """What listens to a reader."""
        return _Refusing(self)

    def summary(self, name: str) -> str:
        """The line that is said of an input at the end; empty where none was left out."""
        if not self.number:
            return ""
        told = f"; the first {SHOWN} are named above" if len(self._lines) > SHOWN else ""
        left_out = f"{self.number:,} of {self.seen:,} lines"
        if self.with_sentence:
            return f"{name}: {left_out} bad{told}; the sentences they stand in were left out."
        return f"{name}: {left_out} left out{told}."


class _Refusing(Hearing):
    """Hands over what is wrong with single lines; the reader leaves out their sentences."""

    def __init__(self, bad: BadLines) -> None:
        super().__init__()
        self._bad = bad

    def fault(self, where: str, what: str, kind: str = "") -> None:
        error = UserError(f"{where}: {what}")
        if kind in _WHOLE_FILE:
            raise error
        line = where.rpartition(":")[2]
        self._bad.refuse(error, int(line) if line.isdecimal() else 0)
