"""Tags that are none: what is wrong with them, for the person who wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable

from mmseq.contracts.example import OPEN
from mmseq.data.invisible import JOINERS, code_point, is_unseen
from mmseq.data.tags import TAG_FORM, is_tag

_BEHIND = re.compile(r"(.+)[-_:/.]([BIESLUMW])")
_OTHER_MARK = re.compile(r"([BIESLUMWbieslumw])([^\w\s]|_| )(.+)")
_NOT_O = ("o", "0")
_BARE = ("B", "I")
_QUOTES = ('""', "''")
_GLUED = re.compile(r"\S*[^\s-]([/|_\\])(O|[BIES]-[^\s/|]+)")
_GLUE = "a word with its tag; write a word a line, then a tab and its tag"
_NUMBERS = (
    'numbers need the names of tags: data.tag_names = ["O", "B-PER", …] (--tag-names O,B-PER,…)'
)
_CELLS = ("|", ",", ";", "/", "+", "&", " ", "\t")


def tag_fault(tag: str) -> str:
    """What is wrong with a tag and what to do; empty: nothing."""
    if hidden := _hidden(tag):
        return hidden
    if several := _several(tag, is_tag):
        return several
    return "" if is_tag(tag) else f"{_shown(tag)} is not a tag; {_remedy(tag)}."


def type_fault(tag: str) -> str:
    """The same of a tag of IO: a type, ``I-`` and a type, ``O``."""
    if hidden := _hidden(tag):
        return hidden
    if tag in ("O", OPEN):
        return ""
    if tag in _NOT_O:
        return f"'{tag}' is not a type; write O (the letter, large) outside entities."
    if tag in _BARE:
        return f"'{tag}' is not a type, but a prefix without one; write B-PER, or the type alone."
    kind = tag.removeprefix("I-")
    if tag[:1] + tag[-1:] in _QUOTES and len(tag) > 2:
        return f"{_shown(tag)} is in quotes; write it without them."
    if _GLUED.fullmatch(tag):
        return f"{_shown(tag)} is {_GLUE}."
    if kind != kind.strip("- ") or not any(c.isalnum() for c in kind):
        return f"{_shown(tag)} is not a type; write O, or a type, such as PER."
    return ""


def kind_of(fault: str) -> str:
    """What one fault has in common with others: not the tag, nor how to write it."""
    return fault.partition("' ")[2].partition(";")[0]


def _hidden(tag: str) -> str:
    odd = [c for c in tag if is_unseen(c) and c != " " and c not in JOINERS]
    if not odd:
        return ""
    codes = ", ".join(dict.fromkeys(map(code_point, odd)))
    return f"{_shown(tag)} holds what cannot be seen ({codes}); write the tag anew."


def _several(tag: str, good: Callable[[str], bool]) -> str:
    for mark in _CELLS:
        parts = [part.strip() for part in tag.split(mark)]
        if len(parts) > 1 and all(map(good, parts)):
            typed = sum(part not in ("O", OPEN) for part in parts)
            if typed > 1 or mark in "|,; \t":
                return f"'{tag}' is {len(parts)} tags; give each word one (nested ones: choose)."
    return ""


def _remedy(tag: str) -> str:
    if tag == "o":
        return "write O, the large letter"
    if re.fullmatch(r"\d+", tag):
        return f"write O, the large letter; {_NUMBERS}" if tag == "0" else _NUMBERS
    if tag in ("_", "-", "*"):
        return "write O outside entities"
    if tag[:1] + tag[-1:] in _QUOTES and is_tag(tag[1:-1]):
        return f"write {tag[1:-1]}, without quotes"
    if _GLUED.fullmatch(tag):
        return f"it seems to be {_GLUE}"
    if behind := _BEHIND.fullmatch(tag):
        return f"the prefix stands behind the type; write {behind[2]}-{behind[1]}"
    other = _OTHER_MARK.fullmatch(tag)
    if other and (other[2] != "-" or other[1].islower()) and other[3].strip("-_ "):
        return f"write {other[1].upper()}-{other[3].strip('-_ ')}, with a large letter and a hyphen"
    plain = tag and not any(c in tag for c in "\"'[]{}()<>=") and any(c.isalpha() for c in tag)
    types = "; of types alone: scheme io (data.scheme, --scheme)" if plain and len(tag) > 1 else ""
    return TAG_FORM + types


def _shown(tag: str) -> str:
    """The tag in quotes, unseen characters escaped; with code points where it looks like ASCII."""
    if not tag:
        return "''"
    text = "".join(
        c if not is_unseen(c) or c == " " else c.encode("unicode_escape").decode() for c in tag
    )
    # An O of another script, a dash that is no hyphen.
    alone, mark = len(tag) == 1 or not tag[1].isalnum(), tag[1:2]
    strange = [tag[0]] if alone and not tag[:1].isascii() and not is_unseen(tag[0]) else []
    if not (mark.isascii() or mark.isalnum() or is_unseen(mark)):
        strange.append(mark)
    return f"'{text}' ({', '.join(map(code_point, strange))})" if strange else f"'{text}'"
