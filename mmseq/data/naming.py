"""What the user says of names in files: those of fields, and those of tags that are numbers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmseq.errors import UserError
from mmseq.registry.entries import Entry


@dataclass(frozen=True)
class Naming:
    """Names in files; nothing is said where both are empty."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """``tokens``, ``tags``, ``images`` -> the field that holds them"""
    tag_names: Sequence[str] = ()
    """Tags by their number, from 0"""

    def said(self) -> dict[str, Any]:
        """What is said, by its key in [data]."""
        all_of = {"fields": dict(self.fields), "tag_names": list(self.tag_names)}
        return {name: value for name, value in all_of.items() if value}

    def options(self, entry: Entry) -> dict[str, Any]:
        """What of it a reader is told: what its constructor takes."""
        takes = inspect.signature(entry.load()).parameters
        return {name: value for name, value in self.said().items() if name in takes}

    def check(self, entries: Sequence[Entry]) -> None:
        """`UserError` where something is said and none of these readers is told of it."""
        told = {name for entry in entries for name in self.options(entry)}
        for name in self.said() if entries else ():
            if name not in told:
                option = f"--{name.replace('_', '-')}"
                raise UserError(
                    f"{entries[0].title} has no fields to name; leave out data.{name}, {option}."
                )
