"""Values as people write them, in the type that is wanted: where they can mean one thing alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

TRUE, FALSE = ("true", "yes", "y", "on", "1"), ("false", "no", "n", "off", "0")
NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?")
PERCENT = re.compile(r"\d+(\.\d+)?\s*%")
ENTRY = re.compile(r"([^\s=:]+)\s*[=:]\s*([^\s=:]+)")
COMMA = re.compile(r"\d+,\d+")


class WrittenInt(int):
    """A whole number that was typed otherwise than Python would print it, with its text."""

    text: str


class WrittenFloat(float):
    """The same of any other number: a folder may be called ``1_0`` or ``5E-5``."""

    text: str


def as_written(value: Any, text: str) -> Any:
    """A number read from `text` that remembers it; anything else as it is."""
    if str(value) == text or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    found = WrittenInt(value) if isinstance(value, int) else WrittenFloat(value)
    found.text = text
    return found


def meant(annotation: Any, value: Any) -> Any:
    """`value`, which is not of the type, in that type; itself where that could mean several things.

    ``"True"`` and ``"yes"`` for true, ``".001"`` and ``"03"`` for numbers, 3.0 for a whole number,
    ``"a,b"`` and ``"[a, b]"`` for a list, ``"a=b,c=d"`` and ``"{a=b}"`` for a table, 2017 or a path
    for a string; in lists and tables their values. From Python also numpy's numbers, and tuples.
    """
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        # A number of numpy's or torch's.
        return item()
    kinds = list(_kinds(annotation))
    if type(value) in kinds and not isinstance(value, str):
        # An entry of a list or table that is right already.
        return value
    for kind in kinds:
        found = _as_kind(kind, value)
        if found is not value:
            return found
    return value


def way_to_write(annotation: Any, value: Any) -> str:
    """`` Write 0.1.``, with a blank in front: how a value of that type is written; empty where
    nothing can be said but what type it is.
    """
    kinds = [get_origin(kind) or kind for kind in _kinds(annotation)]
    text = value.strip() if isinstance(value, str) else ""
    if float in kinds and PERCENT.fullmatch(text):
        return f" Write {float(text.rstrip('% ')) / 100:g}."
    if float in kinds and COMMA.fullmatch(text):
        return f" Write {text.replace(',', '.')}."
    if value is None and str in kinds:
        return ' Write "" (or nothing after the =) for none.'
    words = [one for kind in _kinds(annotation) for one in get_args(kind)]
    if "auto" in words and {int, float} & set(kinds):
        return " Write a number, or auto."
    if bool in kinds:
        return " Write true or false."
    if list in kinds or tuple in kinds:
        return ' Write ["a", "b"] or a,b.'
    if dict in kinds:
        return ' Write {a = "b", c = "d"} or a=b,c=d.'
    return ""


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows, without their limits."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(annotation.__origin__)
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _kinds(one)
    else:
        yield annotation


def _as_kind(kind: Any, value: Any) -> Any:
    """`value` as one type; the very same object where it cannot be one."""
    origin = get_origin(kind) or kind
    text = value.strip() if isinstance(value, str) else None
    if origin is bool:
        return _bool(value, text)
    if origin in (int, float):
        return _number(origin, value, text)
    if origin in (str, Path) and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else getattr(value, "text", str(value))
    if origin is str and isinstance(value, PurePath):
        return str(value)
    if origin is NoneType and text in ("None", "null"):
        return None
    if origin in (list, tuple):
        return _list(kind, value, text)
    if origin is dict:
        return _table(kind, value, text)
    if origin is Literal and text is not None:
        folded = [own for own in get_args(kind) if isinstance(own, str) and own == text.lower()]
        return folded[0] if folded and folded[0] != value else value
    return value


def _bool(value: Any, text: str | None) -> Any:
    word = text.lower() if text is not None else str(value)
    if text is None and not (isinstance(value, int) and value in (0, 1)):
        return value
    return word in TRUE if word in (*TRUE, *FALSE) else value


def _number(kind: type, value: Any, text: str | None) -> Any:
    if text is not None:
        if not NUMBER.fullmatch(text):
            return value
        number = float(text)
    elif isinstance(value, float):
        number = value
    else:
        return value
    if kind is float:
        return number
    digits = (text or "").lstrip("+")
    # Not by way of a float, which has 53 bits.
    if digits.lstrip("-").isdecimal():
        return int(digits)
    return int(number) if number.is_integer() and abs(number) < 2**53 else value


def _list(kind: Any, value: Any, text: str | None) -> Any:
    inner = [one for one in get_args(kind) if one is not ...] or [str]
    if text is not None:
        bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        parts = [part.strip() for part in bare.split(",")]
        if not all(parts):
            return value
        entries: Any = [_unquoted(part) for part in parts]
    elif isinstance(value, list | tuple):
        entries = value
    else:
        return value
    single = len(inner) == 1
    if not single and len(inner) != len(entries):
        return value
    read = [meant(inner[0] if single else inner[i], one) for i, one in enumerate(entries)]
    # A list whose entries are right already is not what is wrong.
    if isinstance(value, list) and all(a is b for a, b in zip(read, entries, strict=True)):
        return value
    return read


def _table(kind: Any, value: Any, text: str | None) -> Any:
    types = get_args(kind)
    if text is not None:
        bare = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
        pairs = [ENTRY.fullmatch(part.strip()) for part in bare.split(",")]
        entries = {_unquoted(pair[1]): _unquoted(pair[2]) for pair in pairs if pair}
        if len(entries) < len(pairs):
            return value
    elif isinstance(value, dict):
        entries = value
    else:
        return value
    read = {k: meant(types[1], v) for k, v in entries.items()} if types else entries
    # A table whose values are right already is not what is wrong.
    if text is None and all(read[k] is entries[k] for k in read):
        return value
    return read


def _unquoted(part: str) -> str:
    quoted = len(part) > 1 and part[0] == part[-1] and part[0] in "'\""
    return part[1:-1] if quoted else part
