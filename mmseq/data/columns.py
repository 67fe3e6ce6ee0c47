"""Columns that the user names, for the readers that take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmseq.data.folder import reader_of
from mmseq.data.naming import Naming
from mmseq.data.reading import takes_columns
from mmseq.errors import UserError

Columns = Mapping[str, int | str]
"""What the user says of columns: name -> number from 1, or a name of the header line"""


def unused_columns(paths: Sequence[Path], reader: str, columns: Columns | None) -> str:
    """A line where columns are named and no reader of these files is told of any; else empty."""
    entries = [reader_of(path, reader) for path in paths] if columns else []
    if not entries or any(map(takes_columns, entries)):
        return ""
    what = "has no columns to choose; leave out data.columns, --columns"
    return f"{paths[0]}: {entries[0].title} {what}."


def check_columns(paths: Sequence[Path], reader: str, columns: Columns | None) -> None:
    """`UserError` with that line."""
    if line := unused_columns(paths, reader, columns):
        raise UserError(line)


def check_told(
    path: Path, reader: str, columns: Columns | None, naming: Naming | None = None
) -> None:
    """`UserError` where something is said of a file that its reader is not told. A file that is
    not there is left to whoever reads it.
    """
    if path.is_file():
        check_columns([path], reader, columns)
        if naming:
            naming.check([reader_of(path, reader)])
