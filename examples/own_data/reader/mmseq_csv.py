"""Reader of CSV files for mmseq: a row a sentence, with its tags and its picture."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import mmseq

COLUMNS = ("sentence", "tags", "picture")
TAG = re.compile(r"O|[BIESLU]-[^\s-](\S*[^\s-])?")


class CsvReader(mmseq.Reader):
    """A sentence per row: `sentence`, `tags` and `picture`.

    The first row names the columns, in any order; further ones become `Example.extras`. Words and
    tags are separated by spaces, a tag for each word (BIO or BIOES); a cell of tags that is empty
    means that the sentence has none. `picture` is a file name, or empty. Rows without any content
    are skipped. Commas; UTF-8.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    example_file: ClassVar[str] = (
        "sentence,tags,picture\n"
        "Venus rises at six,B-PLANET O O O,venus.png\n"
        '"In Rome , Venus had a temple",O O O B-GOD O O O,\n'
    )

    def read(self, path: Path) -> Iterator[mmseq.Example]:
        rows = _rows(path)
        _, header = next(rows, (1, []))
        for column in COLUMNS:
            if header and column not in header:
                raise mmseq.UserError(
                    f"{path}:1: no column '{column}' (there are: {'; '.join(header)}); name the "
                    f"columns {', '.join(COLUMNS)} in the first row, with commas between them."
                )
        for line, cells in rows:
            yield _example(path, line, header, cells)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, each with the line it begins in: a quoted cell may hold some."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise mmseq.UserError(f"{path}: cannot be read ({error.strerror}); check it.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise mmseq.UserError(f"{path}:{line}: not UTF-8; save the file as UTF-8.") from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in rows:
            if any(cells):
                yield line, cells
            line = rows.line_num + 1
    except csv.Error as error:
        raise mmseq.UserError(
            f"{path}:{line}: not CSV ({error}); put a cell that holds a comma or a quotation mark "
            'in quotation marks, and write those inside it twice ("").'
        ) from error


def _example(path: Path, line: int, header: list[str], cells: list[str]) -> mmseq.Example:
    where = f"{path}:{line}"
    if len(cells) != len(header):
        raise mmseq.UserError(
            f"{where}: {len(cells)} cells, and the first row names {len(header)} columns; put a "
            "cell that holds a comma in quotation marks."
        )
    row = dict(zip(header, cells, strict=True))
    words, tags, picture = (row.pop(column).strip() for column in COLUMNS)
    tokens, labels = tuple(words.split()), tuple(tags.split())
    if not tokens:
        raise mmseq.UserError(f"{where}: no word in 'sentence'; write it or remove the row.")
    if labels and len(labels) != len(tokens):
        raise mmseq.UserError(
            f"{where}: {len(tokens)} words and {len(labels)} tags; give every word one (O outside "
            "entities), with spaces between them."
        )
    for label in labels:
        if not TAG.fullmatch(label):
            raise mmseq.UserError(
                f"{where}: '{label}' is not a tag; write O, or B- or I- and a type, as in B-PLANET."
            )
    images = (Path(picture),) if picture else ()
    return mmseq.Example(tokens, labels or None, images, f"{path.stem}-{line}", row, path, line)


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the reader."""
    add.reader("csv", CsvReader)
