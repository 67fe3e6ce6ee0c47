"""The plot of `growth.py`: a row of two panels, time and memory, for each thing that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseq import PLOT_COLOURS, plot_style, render_figure

COLUMNS = {"time": ("ms", "milliseconds"), "memory": ("memory, MB", "MB beyond what was there")}


def draw_growth(
    points: Sequence[Mapping[str, Any]], slopes: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """Both scales logarithmic: a power is a line. The dashed line is linear growth from the end."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    names = list(dict.fromkeys(point["grows"] for point in points))
    with plot_style():
        figure = Figure(figsize=(8, 2.8 * len(names)), layout="constrained")
        panels = figure.subplots(len(names), 2, squeeze=False)
        for row, name in zip(panels, names, strict=True):
            own = [point for point in points if point["grows"] == name]
            sizes = [point["size"] for point in own]
            for axes, (what, (column, unit)) in zip(row, COLUMNS.items(), strict=True):
                values = [point[column] for point in own]
                line = [values[-1] * size / sizes[-1] for size in sizes]
                axes.loglog(sizes, values, "o-", color=PLOT_COLOURS[0])
                axes.loglog(sizes, line, "--", color="0.6", zorder=0)
                slope = next(s for s in slopes if s["grows"] == name and s["what"] == what)
                axes.set_title(f"{what}: exponent {slope['exponent']:.2f}", fontsize="medium")
                axes.set_xticks(sizes, [str(size) for size in sizes])
                axes.set_xticks([], minor=True)
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axes.set_yticks([], minor=True)
                axes.set_xlabel(name)
                axes.set_ylabel(unit)
                axes.grid(color="0.9")
        path.write_bytes(render_figure(figure, path.suffix[1:].lower()))
