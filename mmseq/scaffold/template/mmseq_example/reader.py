"""The reader: a table of sentences, their tags and their pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import mmseq

COLUMNS = ("sentence", "tags", "picture")


class ExampleReader(mmseq.Reader):
    """A CSV file with the columns sentence, tags and picture, in any order.

    Words and tags are separated by spaces, a tag a word (mmseq says which one is wrong); a sentence
    has no tags where that cell is empty, and no picture where that one is. Further columns are left
    aside. UTF-8.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    example_file: ClassVar[str] = (
        "sentence,tags,picture\nAnna ran,B-PER O,1.jpg\nin Oslo today,O B-LOC O,\n"
    )

    def read(self, path: Path) -> Iterator[mmseq.Example]:
        line = 1
        try:
            # utf-8-sig: spreadsheets put a byte order mark in front.
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file, strict=True)
                for column in COLUMNS:
                    if column not in (rows.fieldnames or ()):
                        raise ValueError(f"no column '{column}'; name it in the first line")
                line = rows.line_num + 1
                for row in rows:
                    yield _sentence(row, path, line)
                    # A quoted cell may go over several lines.
                    line = rows.line_num + 1
        except UnicodeDecodeError:
            # A kind of ValueError, which mmseq tells better.
            raise
        except (csv.Error, ValueError) as error:
            raise mmseq.UserError(f"{path}:{line}: {error}.") from error


def _sentence(row: dict[str | Any, str | Any], path: Path, line: int) -> mmseq.Example:
    """One row; `ValueError` says what is wrong in it."""
    if None in row:
        raise ValueError('more cells than columns; put a cell with a comma in quotes: "a, b"')
    sentence, tags, picture = ((row[column] or "").strip() for column in COLUMNS)
    words = tuple(sentence.split())
    if not words:
        raise ValueError("the sentence is empty; write its words or remove the line")
    return mmseq.Example(
        words,
        tuple(tags.split()) or None,
        (Path(picture),) if picture else (),
        f"{path.stem}-{line}",
        file=path,
        line=line,
    )
