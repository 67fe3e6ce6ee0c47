"""Lists for people to read and for `grep` to search: a line an entry, columns without borders."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mmseq.console import wide_console
from mmseq.table_width import harmless_text

LEAST = 30
"""Columns that the last cell of a row gets at least; with fewer it stands below the row"""
INDENT = 4
PIPE = 500
"""Columns of a file or pipe: every row is one line"""


def print_listing(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print rows under their headings. All cells but the last stay unbroken; where a terminal is
    too narrow for that, the cells that do not fit stand below their row, set in.
    """
    console = wide_console()
    if not sys.stdout.isatty():
        console.width = PIPE
    rows = [[harmless_text(cell) for cell in row] for row in rows]
    whole = [
        max(line.cell_len for cell in column for line in cell.split(allow_blank=True))
        for column in zip(*[[Text(heading) for heading in headings], *rows], strict=True)
    ]
    last = len(headings) - 1
    beside = 1
    while beside < last and sum(whole[: beside + 1]) + 2 * beside <= console.width:
        beside += 1
    room = console.width - sum(whole[:last]) - 2 * last
    if beside == last and room >= min(LEAST, whole[last]):
        console.print(_table(headings, rows), soft_wrap=False)
        return
    for row in ([Text(heading, "bold") for heading in headings], *rows):
        line = _line(row[:beside], [min(width, console.width) for width in whole])
        console.print(line, soft_wrap=False)
        for cell in row[beside:]:
            if cell.plain:
                below = Padding(_whole_words(cell), (0, 0, 0, INDENT), expand=False)
                console.print(below, soft_wrap=False)


def _table(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Table:
    """Cells side by side, each below the one above."""
    line = Table(box=None, pad_edge=False, show_header=False)
    for width in widths[: len(cells)]:
        line.add_column(width=width, overflow="fold")
    line.add_row(*cells)
    return line


def _whole_words(cell: Text) -> Text:
    """A word that is too long, such as a path, goes on in the next line."""
    cell.overflow = "fold"
    return cell
