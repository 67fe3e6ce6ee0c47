"""The strip plot: a point for every seed's F1, so that the spread can be seen."""

from __future__ import annotations

from textwrap import fill

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmseq.errors import UserError
from mmseq.scoring.metrics import VARIANTS
from mmseq.tables.drawing import PLOT_COLOURS, plot_style
from mmseq.tables.grid import CHECKSUM
from mmseq.tables.groups import DataSet
from mmseq.tables.spread import Spread
from mmseq.tables.table import Row, Table

POINTS, PUBLISHED = PLOT_COLOURS[0], PLOT_COLOURS[4]
MARKS = ("one seed", "mean", "published")
SPREAD = 0.24
"""Rows' points are moved up and down by so much, for equal values to be seen"""
NAME_WIDTH = 28


def strip_plot(table: Table) -> Figure:
    """A panel for each data set, a row for each system, in the order of the table.

    The published value is a line where ours are of the same test file in the same reading.
    `UserError` where there is nothing to draw.
    """
    if not table.data:
        raise UserError("No results to plot.")
    shown = [(data, _shown(table, data)) for data in table.data]
    with plot_style():
        heights = [1 + len(rows) for _, rows in shown]
        figure = Figure(figsize=(8, 0.9 + 0.55 * sum(heights)), layout="constrained")
        if table.layout.title:
            figure.suptitle(fill(table.layout.title, 80))
        panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        marks: dict[str, Artist] = {}
        for axes, (data, rows) in zip(panels, shown, strict=True):
            marks |= _draw(axes, rows)
            axes.set_title(
                f"{table.label(data)} ({table.split} sha256 {data.sha256[:CHECKSUM]})",
                fontsize="medium",
            )
            axes.set_xlabel(
                f"{table.split} F1 ({VARIANTS[table.variant]}, {data.gold} gold entities)"
            )
        names = [name for name in MARKS if name in marks]
        figure.legend([marks[n] for n in names], names, loc="outside lower center", ncols=3)
    return figure


def _shown(table: Table, data: DataSet) -> list[Row]:
    """Rows with something to draw."""
    rows = [row for row in table.rows if row.data == data]
    return [row for row in rows if row.group or _published(row) is not None]


def _published(row: Row) -> float | None:
    first = row.published[0] if row.published else None
    return first.figure.f1 if first and not first.obstacle else None


def _draw(axes: Axes, rows: list[Row]) -> dict[str, Artist]:
    """Points, means and published values; what the legend names."""
    marks: dict[str, Artist] = {}
    for y, row in enumerate(rows):
        if row.measured:
            f1 = row.measured.scores["f1"]
            marks["one seed"] = axes.scatter(
                f1.values, _heights(y, f1), s=36, color=POINTS, alpha=0.75, linewidths=0, zorder=4
            )
            marks["mean"] = axes.vlines(
                f1.mean, y - 0.36, y + 0.36, color="black", linewidth=2, zorder=3
            )
        value = _published(row)
        if value is not None:
            marks["published"] = axes.vlines(
                value, y - 0.36, y + 0.36, color=PUBLISHED, linewidth=2, linestyle=(0, (2, 1)),
                zorder=2,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [fill(row.name, NAME_WIDTH) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    return marks


def _heights(y: int, f1: Spread) -> list[float]:
    last = len(f1.values) - 1
    return [y + SPREAD * (2 * i / last - 1) if last else y for i in range(last + 1)]
