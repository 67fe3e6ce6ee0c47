"""What to do with a file whose ending no reader knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_FORMATS = {".json": "json", ".csv": "csv", ".spacy": "spacy", ".ann": "brat"}
"""Ending -> format of `mmseq data import`"""
_SIGNS = (
    (".json", ('"annotations"', '"data"'), "label-studio"),
    (".json", ("_input_hash",), "prodigy"),
    (".csv", ("entity_annotations",), "autogluon"),
)
"""Ending, what a file's beginning holds -> the format of a tool"""
_BEGINNING = 4096
"""Bytes that are looked at"""
COLUMNS = (
    ".tsv", ".conllu", ".conllup", ".conll03", ".iob", ".iob1", ".iob2", ".iobes", ".bioes",
    ".bmes", ".ner", ".tags", ".train", ".dev", ".test", ".testa", ".testb", ".data", ".annotated",
    ".col", ".out", "",
)  # fmt: skip
"""Endings under which others keep columns"""


def remedy(path: Path, given: Path | None = None) -> str:
    """How such a file can be read: it is converted, or gets another name. `given`: the folder that
    the user has named, which is converted as a whole.
    """
    ending = path.suffix.lower()
    if form := _FORMATS.get(ending):
        form = next((tool for e, signs, tool in _SIGNS if e == ending and _has(path, signs)), form)
        return f"convert it: `mmseq data import {form} {given or path} DIR`"
    if ending not in COLUMNS:
        return "rename the file, or convert it (`mmseq data import --help` says what is read)"
    table = "; a table: `mmseq data import csv`" if ending == ".tsv" else ""
    return f"if it holds columns, name it {path.stem}.conll{table}"


def _has(path: Path, signs: Sequence[str]) -> bool:
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING).decode(errors="replace")
    except OSError:
        return False
    return all(sign in beginning for sign in signs)
