"""Characters that nobody sees: how they are written in messages, and taken from ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from unicodedata import category

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: in Persian, Hindi and emoji they mean something"""
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"
"""Not of a category of their own, but without any ink"""


@lru_cache(maxsize=4096)
def is_unseen(character: str) -> bool:
    """Whether it is white space, a control or format character, or a filler without ink."""
    return character.isspace() or category(character) in ("Cc", "Cf") or character in _FILLERS


@lru_cache(maxsize=4096)
def is_odd(character: str) -> bool:
    """Whether a word should not hold it: unseen, but for the space and the joiners (and the tags
    within flags), or a mark of damage (U+FFFD), or in private use.
    """
    if character in (" ", *JOINERS) or "\U000e0020" <= character <= "\U000e007f":
        return False
    return is_unseen(character) or character == "\ufffd" or category(character) in ("Co", "Cn")


def is_blank(text: str) -> bool:
    """Whether a line holds nothing, or nothing that can be seen. A joiner alone is a word."""
    if not text:
        return True
    # Nearly every line is told by its first character.
    return is_unseen(text[0]) and all(is_unseen(c) and c not in JOINERS for c in text)


def code_point(character: str) -> str:
    """``U+200B``."""
    return f"U+{ord(character):04X}"


def trimmed(text: str) -> str:
    """The text without unseen characters at its ends."""
    start, end = 0, len(text)
    while start < end and is_unseen(text[start]):
        start += 1
    while end > start and is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


@dataclass
class Trimming:
    """Takes unseen characters from the ends of tags or names, and knows how many lost some."""

    what: str
    """Of what: ``tags``, ``names of pictures``"""
    count: int = 0
    first: str = ""
    taken: set[str] = field(default_factory=set)

    def of(self, text: str, where: str) -> str:
        """The text without them; `where` it stands, for `note`."""
        rest = trimmed(text)
        if rest != text:
            self.count += 1
            self.first = self.first or where
            begin = text.find(rest)
            self.taken.update(text[:begin] + text[begin + len(rest) :])
        return rest

    def note(self) -> str:
        """What the user reads of it; empty where there was nothing to take."""
        if not self.count:
            return ""
        codes = ", ".join(sorted(map(code_point, self.taken)))
        return (
            f"{self.first}: white space or invisible characters ({codes}) at the ends of "
            f"{self.what} are left out ({self.count:,} of them; this is the first)."
        )
