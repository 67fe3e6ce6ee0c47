"""Further fields of a sentence, as components read them: numbers for its words, or for all of it,
and text.
"""

from __future__ import annotations

from typing import Any

from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Text
from mmseq.data.numbers import is_number
from mmseq.errors import UserError

SHOWN = 60
"""Characters of a wrong value in a message"""
Field = PerWord | PerSentence | Text
FieldValue = list[list[float]] | list[float] | str
"""Of one sentence: a list of numbers for each word, one for all of it, or text"""


def read_field(example: Example, name: str, field: Field, reader: str) -> FieldValue:
    """A field of a sentence as `reader`, which messages name, has asked for it. `UserError` with
    file and line where it is missing, of another kind or size, or out of bounds.
    """
    if isinstance(field, PerWord):
        rows = per_word(example, name, reader)
        _require_size(example, name, len(rows[0]), field.size, "numbers a word", reader)
        for index, row in enumerate(rows):
            _require_within(example, f"'{name}', entry {index + 1}", row, field, reader)
        return rows
    if isinstance(field, PerSentence):
        numbers = per_sentence(example, name, reader)
        _require_size(example, name, len(numbers), field.size, "numbers", reader)
        _require_within(example, f"'{name}'", numbers, field, reader)
        return numbers
    return text_of(example, name, reader)


def require_alike(example: Example, name: str, size: int, before: int, kind: type) -> None:
    """`UserError` where a field of any size has not the same in all sentences."""
    if size == before:
        return
    unit, remedy = "numbers", "sentence"
    if kind is PerWord:
        unit, remedy = "numbers a word", "word"
    raise UserError(
        f"{example.where}: field '{name}' has {size} {unit}, in earlier sentences {before}; give "
        f"every {remedy} as many."
    )


def per_word(
    example: Example, field: str, reader: str = "a component of this run"
) -> list[list[float]]:
    """A numeric field with one entry a word: a number or a list of numbers, here always a list.

    `reader` names who reads it. `UserError` where it is missing, of another length, not numeric or
    uneven.
    """
    values = _there(example, field, "one entry a word", reader)
    need = f"{example.where}: field '{field}'"
    count = len(example.tokens)
    if not isinstance(values, list | tuple) or len(values) != count:
        size = f"{len(values)} entries" if isinstance(values, list | tuple) else "no list"
        raise UserError(f"{need} has {size} for {count} words; it needs one entry a word.")
    rows = [list(v) if isinstance(v, list | tuple) else [v] for v in values]
    for index, row in enumerate(rows):
        if not all(is_number(v) for v in row) or len(row) != len(rows[0]) or not row:
            raise UserError(
                f"{need}, entry {index + 1}: {values[index]!r} is not a number or a list of as "
                "many numbers as the first; correct it."
            )
    return [[float(v) for v in row] for row in rows]


def per_sentence(
    example: Example, field: str, reader: str = "a component of this run"
) -> list[float]:
    """A numeric field of the whole sentence: a number or a list of numbers, here always a list.

    `reader` names who reads it. `UserError` where it is missing, empty or not numeric.
    """
    value = _there(example, field, "a number or a list of numbers for the sentence", reader)
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if not numbers or not all(is_number(v) for v in numbers):
        raise UserError(
            f"{example.where}: field '{field}': {_shown(value)} is not a number or a list of "
            f"numbers, which {reader} reads of a sentence; correct it."
        )
    return [float(v) for v in numbers]


def text_of(example: Example, field: str, reader: str = "a component of this run") -> str:
    """A field that is text, perhaps empty. `reader` names who reads it. `UserError` where it is
    missing or no string.
    """
    value = _there(example, field, "a text (a string)", reader)
    if not isinstance(value, str):
        raise UserError(
            f"{example.where}: field '{field}': {_shown(value)} is not a string, which {reader} "
            "reads; correct it."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{example.where}: field '{field}' holds half a character (\\ud800 to \\udfff); write "
            "both halves."
        ) from error
    return value


def _there(example: Example, field: str, form: str, reader: str) -> Any:
    value = example.extras.get(field)
    if value is None:
        remedy = "add it to the data, or choose a component that does without"
        if example.file is None:
            remedy = "give it with the sentence (--input FILE.jsonl; in Python `extras`)"
        raise UserError(
            f"{example.where}: field '{field}' is missing; {reader} reads it, {form}: {remedy}."
        )
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2].rstrip(', ')} …"


def _require_size(
    example: Example, name: str, found: int, wanted: int, unit: str, reader: str
) -> None:
    if wanted and found != wanted:
        raise UserError(
            f"{example.where}: field '{name}' has {found} {unit}; {reader} reads {wanted}: give as "
            "many."
        )


def _require_within(
    example: Example, place: str, row: list[float], field: PerWord | PerSentence, reader: str
) -> None:
    if not all(field.low <= value <= field.high for value in row):
        raise UserError(
            f"{example.where}: field {place}: {row} has a number outside {field.low:g} to "
            f"{field.high:g}, which {reader} reads; scale or correct it."
        )
