"""Tables: CSV, with a sentence or a word in each row.

    text,entities,image                           the spans as JSON in the cell
    "Anna lives","[[0, 4, ""PER""]]",1.jpg

    tokens,tags                                   lists, or words with spaces between
    Anna lives,B-PER O

    Sentence #,Word,POS,Tag                       the sentence in its first row, or in all of them
    Sentence: 1,Anna,NNP,B-PER
    ,lives,VBZ,O

Columns are separated by what the first line has most of: commas, semicolons, tabs or bars. Columns
by number, from 1, mean that the first line is data. Cells in quotes may have several lines.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from mmseq.data.importing.csv_words import WordColumns, sentences_of
from mmseq.data.importing.documents import Item, Naming, Place
from mmseq.data.importing.records import item_of
from mmseq.data.reading import not_utf8
from mmseq.data.tags import is_tag
from mmseq.errors import UserError

_SEPARATOR = re.compile(r"sep=(.)")
LONGEST_CELL = 1 << 26
"""Characters"""
LOOKED_AT = 50
"""Rows by which a table of words is told from one of sentences"""


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """A row a sentence, or rows of words."""
    rows = rows_of(path)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path}: holds no row; fill it or leave it out.")
    place, cells = first
    header = _header(cells, naming, place)
    ahead = list(islice(rows, LOOKED_AT))
    columns = WordColumns.of(header, naming, place, [cells for _, cells in ahead])
    data = chain([first] if header is not cells else [], ahead, rows)
    records = (
        (at, _record(header, row, at) if any(map(str.strip, row)) else None) for at, row in data
    )
    if columns is None and (tag := next((c for c in header if is_tag(c.strip())), "")):
        raise UserError(
            f"{place}: the first line holds the tag '{tag}', no names; name the columns by number: "
            "--column word=1 --column tag=2."
        )
    if columns is not None:
        yield from sentences_of(records, columns, naming)
        return
    for at, record in records:
        if record is not None:
            yield item_of(record, at, naming)


def rows_of(path: Path) -> Iterator[tuple[Place, list[str]]]:
    """The cells of each row, with the line where it begins."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first, line = file.readline(), 1
            # Excel is told by a first line which sign separates the cells.
            if said := _SEPARATOR.fullmatch(first.strip('\r\n "')):
                sign, line = said[1], 2
            else:
                file.seek(0)
                counts = {sign: first.count(sign) for sign in ",;\t|"}
                sign = max(counts, key=lambda sign: counts[sign])
            before_it, reader = line - 1, csv.reader(file, delimiter=sign, strict=True)
            try:
                for cells in reader:
                    yield Place(path, line), cells
                    line = before_it + reader.line_num + 1
            except csv.Error as error:
                raise UserError(
                    f"{path}:{line}: not CSV ({error}); write a cell with quotes, line breaks or "
                    f"{sign!r} in quotes, and quotes in it twice."
                ) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    finally:
        csv.field_size_limit(before)


def _header(cells: list[str], naming: Naming, place: Place) -> list[str]:
    """The columns' names: those of the first row, or numbers where the user names numbers."""
    numbers = [name.isdecimal() and name not in cells for name in naming.columns.values()]
    if numbers and all(numbers):
        return [str(number) for number in range(1, len(cells) + 1)]
    twice = next((cell for cell in cells if cell and cells.count(cell) > 1), None)
    if twice is not None:
        raise UserError(f"{place}: two columns are named '{twice}'; rename one.")
    return cells


def _record(header: Sequence[str], cells: Sequence[str], place: Place) -> dict[str, str | None]:
    if len(cells) != len(header):
        raise UserError(
            f"{place}: {len(cells)} cells, but the first row has {len(header)}; write cells with "
            "separators or line breaks in quotes."
        )
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}
