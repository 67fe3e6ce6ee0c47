"""Characters as splitters see them: what stays together, what sort it is, and its script."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

APOSTROPHES = "'’ʼ＇‘"
_JOINER = "\u200d"
_STACKING = "\u17d2\u1039"
"""Signs of Khmer and Myanmar that put the next letter under the one before"""
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL = range(0x1F1E6, 0x1F200)
_UNSPACED = frozenset(
    (
        *("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO"),
        *("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
    )
)
"""Scripts, by the first word of their characters' names, that put no space between words"""
_ENDS = frozenset(
    ".,;:!?…%‰¡¿"  # The last two open; `closes` leaves them out.
    "،؛؟۔٪܀܁܂։՝՜՞׃।॥၊။។៕៖༎།༏༐༑༔፡።፣፤፥፦፧᠂᠃᠈᠉꘍꘎꘏‼‽⁇⁈⁉⸮"
    "、。，．：；！？％﹐﹑﹒﹔﹕﹖﹗｡､・･"
)
_OPENING = frozenset("¡¿")

LETTER, DIGIT, UNSPACED, PICTURE = "L", "0", "x", "e"
"""Sorts of characters; a sign is a sort of its own"""


def starts(chunk: str) -> list[int]:
    """Where what belongs together begins: a letter with its marks, an emoji with its parts."""
    found: list[int] = []
    joined, flag = False, False
    for place, character in enumerate(chunk):
        half = ord(character) in _REGIONAL
        if not found or not (joined or (flag and half) or continues(character)):
            found.append(place)
            flag = half
        elif half:
            flag = False
        joined = character == _JOINER or character in _STACKING
    return found


@lru_cache(maxsize=4096)
def continues(character: str) -> bool:
    """Whether it stays with the character before: marks, joiners, skin tones, what is invisible."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or (
        ord(character) in _SKIN_TONES
    )


@lru_cache(maxsize=16384)
def sort_of(character: str) -> str:
    """`LETTER`, `DIGIT`, `UNSPACED` letter, `PICTURE`; of a sign the sign, and of every apostrophe
    the straight one.
    """
    if character.isascii():
        if character.isalpha():
            return LETTER
        return DIGIT if character.isdigit() else character
    if character in APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if category[0] in "LM":
        return UNSPACED if _name(character) in _UNSPACED else LETTER
    if category[0] == "N":
        return UNSPACED if category == "Nl" and _name(character) in _UNSPACED else DIGIT
    if category[0] == "P" or category in ("Sm", "Sc"):
        return character
    return PICTURE


def is_sign(character: str) -> bool:
    """Punctuation or a symbol, of any script."""
    return sort_of(character) not in (LETTER, DIGIT, UNSPACED)


def unspaced(character: str) -> bool:
    """Of a script without spaces: its letters, and signs as wide as they are."""
    sort = sort_of(character)
    if sort in (LETTER, DIGIT, PICTURE):
        return False
    return (
        sort == UNSPACED
        or unicodedata.east_asian_width(character) in "WF"
        or (not character.isascii() and _name(character) in _UNSPACED)
    )


def closes(character: str) -> bool:
    """Punctuation before which nobody writes a space; quotation marks are not among it."""
    if character in _ENDS:
        return character not in _OPENING
    return closes_bracket(character)


def closes_bracket(character: str) -> bool:
    """A closing bracket."""
    return unicodedata.category(character) == "Pe"


def opens(character: str) -> bool:
    """Punctuation after which nobody writes a space; quotation marks are not among it."""
    return character in _OPENING or unicodedata.category(character) == "Ps"


@lru_cache(maxsize=16384)
def script(character: str) -> str:
    """The script of a letter, ``Latin``, ``Han``; empty for what is no letter or has none of its
    own. Letters that stand for others, such as those of mathematics, count as the others.
    """
    letter = unicodedata.normalize("NFKC", character)[:1]
    if not letter.isalpha():
        return ""
    name = _name(letter)
    if name in ("CJK", "IDEOGRAPHIC"):
        return "Han"
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return "Kana"
    return "" if name in ("MODIFIER", "COMBINING", "") else name.capitalize()


def scripts(text: str) -> set[str]:
    """The scripts of a text's letters."""
    if text.isascii():
        return {"Latin"} if any(map(str.isalpha, text)) else set()
    return {script(character) for character in set(text)} - {""}


@lru_cache(maxsize=16384)
def _name(character: str) -> str:
    """The first word of a character's name, which says its script; widths left out."""
    words = unicodedata.name(character, "").split()
    while words and words[0] in ("FULLWIDTH", "HALFWIDTH"):
        words = words[1:]
    return words[0] if words else ""
