"""The further fields of examples that a model reads: who asks for which, and their tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Text
from mmseq.errors import ComponentError, UserError, counted
from mmseq.model.field_values import Field, FieldValue, read_field, require_alike
from mmseq.model.guard import ReadFields


@dataclass(frozen=True)
class ExtraField:
    """A field of the examples, and who reads it."""

    name: str
    entries: Field
    reader: str
    """What messages call the component"""
    of_task: bool = False
    """A task reads it: encoder and fusion do not see it"""


def fields_read(
    encoders: Mapping[str, Mapping[str, PerWord]], tasks: Mapping[str, AuxTask]
) -> tuple[ExtraField, ...]:
    """The fields that components ask for, by what messages call these: text encoder and fusion by
    their `extras`, and tasks.

    `ComponentError` for one that asks for what it cannot have, `UserError` naming both where a
    task and another component read one field in two ways.
    """
    found = [
        ExtraField(name, entries, reader)
        for reader, extras in encoders.items()
        for name, entries in declared(reader, extras).items()
    ]
    for field in found:
        if not isinstance(field.entries, PerWord) or field.entries.training_only:
            what = "training_only" if isinstance(field.entries, PerWord) else "not PerWord"
            raise ComponentError(
                f"{field.reader}: its field '{field.name}' is {what}; text encoders and fusions "
                "read numbers of words, always."
            )
    for reader, task in tasks.items():
        extras = declared(reader, task.extras)
        found += [ExtraField(name, entries, reader, True) for name, entries in extras.items()]
        if task.refines and (names := [n for n, e in extras.items() if e.training_only]):
            raise ComponentError(
                f"{reader}: it refines, in prediction too, where its field '{names[0]}' would be "
                "absent; leave out training_only, or let it not refine."
            )
    _require_one_way(found)
    return tuple(found)


def declared(reader: str, extras: Any) -> Mapping[str, Field]:
    """What a component's `extras` are; `ComponentError` where they are something else."""
    kinds = (PerWord, PerSentence, Text)
    if isinstance(extras, Mapping) and all(isinstance(e, kinds) for e in extras.values()):
        return extras
    raise ComponentError(
        f"{reader}: its extras are {extras!r}; map names of fields to mmseq.PerWord, PerSentence "
        "or Text, as in {'mood': mmseq.PerSentence()}."
    )


def _require_one_way(fields: Sequence[ExtraField]) -> None:
    first: dict[str, ExtraField] = {}
    for field in fields:
        other = first.setdefault(field.name, field)
        same = replace(field.entries, training_only=False) == replace(
            other.entries, training_only=False
        )
        if field.of_task and not same:
            raise UserError(
                f"Field '{field.name}' is read in two ways: {other.reader} reads it as "
                f"{told(other.entries)}, {field.reader} as {told(field.entries)}; choose one of "
                "the two."
            )


def told(entries: Field) -> str:
    """A kind of field in words: ``4 numbers a word, 0 to 1000``."""
    if isinstance(entries, Text):
        return "text"
    number = "numbers" if entries.size == 0 else counted(entries.size, "number")
    unit = "word" if isinstance(entries, PerWord) else "sentence"
    bounds = f", {entries.low:g} to {entries.high:g}"
    return f"{number} a {unit}{'' if bounds == ', -inf to inf' else bounds}"


class FieldReader:
    """Reads fields of sentences, and makes them tensors."""

    def __init__(self, fields: Sequence[ExtraField]) -> None:
        self.fields = tuple(fields)
        self._sizes: dict[str, int] = {}

    def needed(self, *, training: bool) -> Sequence[ExtraField]:
        """Those that sentences must have, of the training data or elsewhere."""
        return [f for f in self.fields if training or not f.entries.training_only]

    def read(self, example: Example, *, training: bool) -> dict[str, FieldValue]:
        """The fields of a sentence; `UserError` for one that is not there or wrong, with file and
        line.
        """
        found = {}
        for field in self.needed(training=training):
            value = read_field(example, field.name, field.entries, field.reader)
            if not isinstance(value, str):
                first = value[0]
                size = len(first) if isinstance(first, list) else len(value)
                before = self._sizes.setdefault(field.name, size)
                require_alike(example, field.name, size, before, type(field.entries))
            found[field.name] = value
        return found

    def require(self, examples: Iterable[Example], *, training: bool) -> None:
        """`UserError` for the first sentence that lacks a field or has a wrong one."""
        for example in examples if self.needed(training=training) else ():
            self.read(example, training=training)

    def for_states(self, rows: Sequence[Mapping[str, FieldValue]]) -> dict[str, Tensor]:
        """(B, W, k) each: what text encoder and fusion read of a batch of sentences."""
        return ReadFields({f.name: _tensor(f, rows) for f in self.fields if not f.of_task})

    def for_tasks(
        self, rows: Sequence[Mapping[str, FieldValue]], states: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
        """What tasks find in `Targets` of a batch: numbers, beside those of `states`, and texts.

        Fields that only training data have are there if all these sentences were read as such.
        """
        numbers, texts = ReadFields(states), ReadFields[tuple[str, ...]]()
        for field in self.fields:
            if field.name in numbers or any(field.name not in row for row in rows):
                continue
            if isinstance(field.entries, Text):
                texts[field.name] = tuple(str(row[field.name]) for row in rows)
            else:
                numbers[field.name] = _tensor(field, rows)
        return numbers, texts


def _tensor(field: ExtraField, rows: Sequence[Mapping[str, FieldValue]]) -> Tensor:
    """Numbers of words (B, W, k), 0 at padding, or of sentences (B, k)."""
    values: list[Any] = [row[field.name] for row in rows]
    if isinstance(field.entries, PerSentence):
        return torch.tensor(values)
    padded = torch.zeros(len(values), max(map(len, values)), len(values[0][0]))
    for row, numbers in enumerate(values):
        padded[row, : len(numbers)] = torch.tensor(numbers)
    return padded
