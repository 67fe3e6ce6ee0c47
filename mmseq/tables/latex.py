"""A table as LaTeX, ruled by booktabs."""

from __future__ import annotations

import re

from mmseq import escaping
from mmseq.tables.grid import Cell, Grid

LATIN = "\N{LATIN SMALL LETTER LONG S}"
"""The last character that pdfLaTeX has by itself"""
OTHERS = "% With letters that pdfLaTeX lacks: compile it with LuaLaTeX or XeLaTeX."


def latex(grid: Grid) -> str:
    """A ``table`` whose caption says what the figures are of; needs the package booktabs."""
    caption = " ".join(escaped(line) for line in (f"{grid.title}.", *grid.caption))
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(grid.headings) - 1)}}}",
        r"\toprule",
        *_lines(grid.headings),
        r"\midrule",
    ]
    for index, cells in enumerate(grid.rows):
        if index in grid.starts:
            lines.append(r"\midrule")
        lines += _lines(cells)
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    text = "\n".join(lines) + "\n"
    return text if max(text) <= LATIN else f"{OTHERS}\n{text}"


def _lines(cells: tuple[Cell, ...]) -> list[str]:
    """A row of the table; a second one in small print where a cell has two lines."""
    found = []
    for index in range(max(map(len, cells))):
        texts = [escaped(cell[index]) if index < len(cell) else "" for cell in cells]
        if index:
            texts = [rf"{{\footnotesize {text}}}" if text else "" for text in texts]
        found.append(" & ".join(texts) + r" \\")
    return found


def escaped(text: str) -> str:
    """No character is LaTeX's; a minus before a figure is one; spaces in front indent."""
    indent = r"\quad " if text.startswith(" ") else ""
    return indent + re.sub(r"(?<![\w.-])-(?=[\d ])", "$-$", escaping.latex(text.strip()))
