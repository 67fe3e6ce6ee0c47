"""How a word is written: what an encoder that lower-cases its words no longer sees."""

from __future__ import annotations

SHAPES = ("lower", "title", "upper", "letter", "mixed", "number", "other")
"""``lower``: paris; ``title``: Paris; ``upper``: NBA; ``letter``: J; ``mixed``: iPhone; ``number``:
2016, 1st; ``other``: no letter and no digit
"""


def word_shape(word: str) -> str:
    """One of `SHAPES`; letters of a script without case are ``lower``."""
    letters = [character for character in word if character.isalpha()]
    if any(character.isdigit() for character in word) and not any(c.isupper() for c in letters):
        return "number"
    if not letters:
        return "other"
    capitals = sum(character.isupper() for character in letters)
    if not capitals:
        return "lower"
    if len(letters) == 1:
        return "letter"
    if capitals == len(letters):
        return "upper"
    return "title" if capitals == 1 and letters[0].isupper() else "mixed"
