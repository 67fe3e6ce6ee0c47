"""Fields whose numbers seem to be shares of 1 where a component reads a longer scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

from mmseq.contracts.example import Example
from mmseq.contracts.states import Text
from mmseq.model.field_values import read_field
from mmseq.model.fields import ExtraField


def share_lines(fields: Sequence[ExtraField], examples: Iterable[Example]) -> list[str]:
    """A line on each field of the training sentences whose numbers all lie between 0 and 1, some of
    them above 0, though its component reads numbers to more than 1.

    `UserError` for a field that cannot be read. Right data are left at their first number above 1.
    """
    return [
        f"train: all numbers of field '{field.name}' lie between 0 and 1, and {field.reader} reads "
        f"{field.entries.low:g} to {field.entries.high:g}: if they are shares, multiply them by "
        f"{field.entries.high:g}."
        for field in fields
        if not isinstance(field.entries, Text)
        and field.entries.high > 1
        and isfinite(field.entries.high)
        and _are_shares(_numbers(field, examples))
    ]


def _are_shares(numbers: Iterator[float]) -> bool:
    some = False
    for number in numbers:
        if not 0 <= number <= 1:
            return False
        some = some or number > 0
    return some


def _numbers(field: ExtraField, examples: Iterable[Example]) -> Iterator[float]:
    for example in examples:
        value = read_field(example, field.name, field.entries, field.reader)
        for entry in value:
            if isinstance(entry, list):
                yield from entry
            elif isinstance(entry, float):
                yield entry
