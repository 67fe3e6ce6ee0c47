"""A table for the terminal."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mmseq.tables.grid import Cell, Grid

PLAIN_WIDTH = 200
"""Columns of a file or pipe"""


def rich_table(grid: Grid) -> RichTable:
    """Without the lines under it. A narrow terminal breaks cells between words, no number."""
    table = RichTable(
        title=Text(grid.title),
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for index, heading in enumerate(grid.headings):
        column = [heading, *(cells[index] for cells in grid.rows)]
        longest = max(len(word) for cell in column for line in cell for word in line.split())
        table.add_column(
            _text(heading), justify="right" if index else "left", min_width=longest, overflow="fold"
        )
    for index, cells in enumerate(grid.rows):
        if index in grid.starts:
            table.add_section()
        table.add_row(*(_text(cell) for cell in cells))
    return table


def plain_text(grid: Grid) -> str:
    """Table and caption as a file has them."""
    file = io.StringIO()
    print_grid(grid, Console(file=file, width=PLAIN_WIDTH, soft_wrap=True, color_system=None))
    return file.getvalue()


def print_grid(grid: Grid, console: Console) -> None:
    """Table and caption."""
    console.print(rich_table(grid))
    for line in grid.caption:
        console.print(line, markup=False, highlight=False)


def _text(cell: Cell) -> Text:
    """The second line stands back."""
    text = Text(cell[0] if cell else "")
    for line in cell[1:]:
        text.append(f"\n{line}", style="dim")
    return text
