"""Values of JSON objects, held to what they should be: strings, words, a sentence's id."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from mmseq.errors import UserError

_BLANK = " \t\r\n"
"""What alone makes no word; other white space may be what a tokenizer has left of a text"""
_SHOWN = 30


def strings(where: str, field: str, value: Any) -> tuple[str, ...]:
    """A list of strings; `UserError` for anything else, and for half a character in one."""
    if not isinstance(value, list):
        raise UserError(f'{where}: "{field}" is {kind_of(value)}; make it a list of strings.')
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise UserError(
                f'{where}: "{field}", entry {index + 1} is {kind_of(entry)}; make it a string.'
            )
    try:
        "".join(value).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f'{where}: "{field}" holds half a character (\\ud800 to \\udfff); write both halves.'
        ) from error
    return tuple(value)


def require_words(where: str, field: str, words: Sequence[str]) -> None:
    """`UserError` for a word that is empty, or blank."""
    for index, word in enumerate(words):
        if not word.strip(_BLANK):
            raise UserError(f'{where}: "{field}", entry {index + 1}: an empty word; remove it.')


def require_names(where: str, field: str, names: Sequence[str]) -> None:
    """`UserError` for a picture without a name."""
    if "" in names:
        raise UserError(f'{where}: "{field}" has an empty name; remove it.')


def id_of(where: str, value: Any, default: str) -> str:
    """A sentence's id: a string or a number; `default` for null and an empty string. `UserError`
    for anything else.
    """
    if value is None or value == "":
        return default
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, str) and not (number and math.isfinite(value)):
        raise UserError(f'{where}: "id" is {kind_of(value)}; make it a string.')
    return str(value)


def kind_of(value: Any) -> str:
    """A value as it is written in JSON, cut where it is long, and its type."""
    if value is None:
        return "null"
    shown = json.dumps(value, ensure_ascii=False)
    return f"{shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'} ({type(value).__name__})"
