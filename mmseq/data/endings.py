"""What to do with a file whose ending no reader knows."""

from __future__ import annotations

from pathlib import Path

_FORMATS = {".json": "json", ".csv": "csv", ".spacy": "spacy", ".ann": "brat"}
"""Ending -> format of `mmseq data import`"""
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
        return f"convert it: `mmseq data import {form} {given or path} DIR`"
    if ending not in COLUMNS:
        return "rename the file, or convert it (`mmseq data import --help` says what is read)"
    table = "; a table: `mmseq data import csv`" if ending == ".tsv" else ""
    return f"if it holds columns, name it {path.stem}.conll{table}"
