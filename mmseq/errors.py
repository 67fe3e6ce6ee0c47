"""Errors meant for the person who reads them: one line that says what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from textwrap import shorten

from mmseq.escaping import harmless


class UserError(Exception):
    """A mistake the user can correct: printed as one line, exit code 2, no traceback.

    Its text is one line also where a name in it holds line breaks, and steers no terminal.
    """

    def __str__(self) -> str:
        text = super().__str__()
        return harmless(" ".join(filter(None, map(str.strip, text.split("\n")))))


class ComponentError(RuntimeError):
    """A component broke its contract; the message names it and its distribution."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None where nothing is alike."""
    folded = {name.lower(): name for name in known}
    match = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def did_you_mean(
    word: str, known: Iterable[str], show: Callable[[str], str] = "'{}'".format
) -> str:
    """The sentence `` Did you mean 'loss'?`` with a blank in front; empty where nothing is alike.

    `show` writes the known word, where more is to be said of it than its name.
    """
    guess = closest(word, known)
    return f" Did you mean {show(guess)}?" if guess else ""


def unknown(what: str, word: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist: what was asked, the closest, all there is."""
    names = sorted(known)
    hint = did_you_mean(word, names)
    return UserError(f"Unknown {what} '{word}'.{hint} Available: {', '.join(names) or 'none'}.")


def counted(number: int, name: str) -> str:
    """``1 word``, ``2 words``."""
    return f"{number} {name}{'s' * (number != 1)}"


def one_line(error: BaseException) -> str:
    """An exception's type and text as one line, shortened where a library wrote an essay."""
    return shorten(f"{type(error).__name__}: {error}".rstrip(": "), 400, placeholder=" …")
