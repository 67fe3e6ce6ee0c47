"""A table as GitHub's Markdown."""

from __future__ import annotations

import re

from mmseq.tables.grid import Cell, Grid


def markdown(grid: Grid) -> str:
    """Title, table, and a list of what the figures are of."""
    lines = [f"**{_escaped(grid.title)}**", "", _row(grid.headings)]
    lines.append("|---|" + "---:|" * (len(grid.headings) - 1))
    lines += [_row(cells) for cells in grid.rows]
    lines += ["", *(f"* {_escaped(line)}" for line in grid.caption)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[Cell, ...]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Cell) -> str:
    text = "<br>".join(_escaped(line.strip()) for line in cell)
    # Markdown drops spaces in front, which indent the types of a system.
    return f"&nbsp;&nbsp;{text}" if cell and cell[0].startswith(" ") else text


def _escaped(text: str) -> str:
    """No character is markup; underscores inside a word, as in an address, are none."""
    return re.sub(r"([\\`*\[\]<>|~#]|(?<!\w)_|_(?!\w))", r"\\\1", text)
