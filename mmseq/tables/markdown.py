"""A table as GitHub's Markdown."""

from __future__ import annotations

import re

from mmseq.escaping import markdown as escaped
from mmseq.tables.grid import Cell, Grid

_LIST = re.compile(r"^([-+=])")
"""What would begin a list or a rule within the item"""
_ESCAPED = r"\\\1"


def markdown(grid: Grid) -> str:
    """Title, table, and a list of what the figures are of."""
    lines = [f"**{escaped(grid.title)}**", "", _row(grid.headings)]
    lines.append("|---|" + "---:|" * (len(grid.headings) - 1))
    lines += [_row(cells) for cells in grid.rows]
    lines += ["", *(f"* {_LIST.sub(_ESCAPED, escaped(line))}" for line in grid.caption)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[Cell, ...]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Cell) -> str:
    text = "<br>".join(escaped(line.strip()) for line in cell)
    # Markdown drops spaces in front, which indent the types of a system.
    return f"&nbsp;&nbsp;{text}" if cell and cell[0].startswith(" ") else text
