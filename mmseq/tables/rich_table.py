"""A table for the terminal."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mmseq.console import print_line
from mmseq.escaping import on_one_line
from mmseq.table_width import print_table
from mmseq.tables.grid import Cell, Grid

PLAIN_WIDTH = 80
"""Columns of a table in a file"""


def rich_table(grid: Grid) -> RichTable:
    """Without the lines under it."""
    table = RichTable(
        title=Text(grid.title),
        header_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
    for index, heading in enumerate(grid.headings):
        words = index == 0 or heading == ("data",)
        table.add_column(_text(heading), justify="left" if words else "right")
    for index, cells in enumerate(grid.rows):
        if index in grid.starts:
            table.add_section()
        table.add_row(*(_text(cell) for cell in cells))
    return table


def plain_text(grid: Grid, width: int = PLAIN_WIDTH) -> str:
    """Table and caption as a file has them: the lines of the caption are whole."""
    file = io.StringIO()
    print_grid(grid, Console(file=file, width=width, soft_wrap=True, color_system=None))
    return file.getvalue()


def print_grid(grid: Grid, console: Console) -> None:
    """Table and caption."""
    print_table(console, rich_table(grid))
    console.print()
    for line in grid.caption:
        print_line(console, on_one_line(line))


def _text(cell: Cell) -> Text:
    """The second line stands back."""
    text = Text(on_one_line(cell[0]) if cell else "")
    for line in cell[1:]:
        text.append(f"\n{on_one_line(line)}", style="dim")
    return text
