"""The formats that are imported: what each is, and where it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import cast

from mmseq.data.importing.documents import Read
from mmseq.data.importing.sources import Source, sources_of
from mmseq.errors import unknown


@dataclass(frozen=True)
class Format:
    """One format."""

    module: str
    """Its file beside this one; its function `read` reads a source"""
    what: str
    endings: tuple[str, ...]
    """Of files that are taken from a folder"""
    lines: bool = False
    """Whether each line of a text is a sentence, unless the user says otherwise"""
    own_sources: bool = False
    """Whether its file has a function `sources` that finds what to read"""

    def read(self) -> Read:
        """The function that reads a source."""
        return cast(Read, self._module().read)

    def sources(self, given: Sequence[str], name: str) -> list[Source]:
        """What to read of what the user gave."""
        if self.own_sources:
            find = cast(Callable[[Sequence[str]], list[Source]], self._module().sources)
            return find(given)
        return sources_of(given, self.endings, name)

    def _module(self) -> ModuleType:
        return import_module(f"mmseq.data.importing.{self.module}")


FORMATS: Mapping[str, Format] = {
    "autogluon": Format("autogluon", "AutoGluon's tables", (".csv", ".tsv")),
    "brat": Format("brat", "brat's standoff files", (".txt",), lines=True, own_sources=True),
    "csv": Format("csv_table", "tables: a sentence or a word a row", (".csv", ".tsv")),
    "datasets": Format("hugging_face", "Hugging Face data sets saved on disk", (),
                       own_sources=True),
    "doccano": Format("doccano", "doccano's JSONL and JSON", (".jsonl", ".json", ".json1")),
    "json": Format("json_array", "objects with words and tags, or text and spans",
                   (".json", ".jsonl")),
    "label-studio": Format("label_studio", "Label Studio's JSON and JSON-MIN", (".json",)),
    "prodigy": Format("prodigy", "Prodigy's JSONL", (".jsonl", ".json")),
    "spacy": Format("spacy_docbin", "spaCy's .spacy files", (".spacy",)),
}  # fmt: skip


def format_of(name: str) -> Format:
    """The format of a name; `UserError` for one that there is not."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]
