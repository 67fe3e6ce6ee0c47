"""Learning curves: validation F1 after each epoch, one line a seed and their mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import fmean
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmseq.bench.results import Result
from mmseq.errors import UserError
from mmseq.scoring.metrics import VARIANTS
from mmseq.tables.drawing import PLOT_COLOURS, plot_style
from mmseq.tables.grid import CHECKSUM
from mmseq.tables.readings import DEFAULT
from mmseq.tables.table import Row, Table

Curve = Mapping[int, float]
"""Epoch -> validation F1"""

Look = dict[str, Any]
"""Colour and dashes of a system's lines"""

# Yellow hardly shows as a line; more systems than colours are told apart by the dashes.
LOOKS: tuple[Look, ...] = tuple(
    {"color": colour, "linestyle": dashes}
    for dashes in ("solid", (0, (5, 2)), (0, (1, 1)))
    for colour in (*PLOT_COLOURS[:-1], "black")
)


@dataclass(frozen=True)
class Validation:
    """The sentences that epochs were scored on."""

    name: str
    sha256: str
    gold: int


def learning_curves(table: Table) -> Figure:
    """A panel for each validation file: thin lines are seeds, the thick one their mean, drawn as
    far as all seeds trained. F1 in seqeval's default reading, by which epochs are chosen.

    `UserError` where no run has a validation split.
    """
    panels: dict[Validation, list[tuple[str, list[Curve]]]] = {}
    for row in table.rows:
        for validation, curves in _curves(row):
            panels.setdefault(validation, []).append((row.name, curves))
    if not panels:
        raise UserError("No learning curves: no run has a validation split.")
    names = list(dict.fromkeys(name for drawn in panels.values() for name, _ in drawn))
    looks = dict(zip(names, cycle(LOOKS), strict=False))
    with plot_style():
        figure = Figure(figsize=(9, 0.8 + 4.2 * len(panels)), layout="constrained")
        if table.layout.title:
            figure.suptitle(fill(table.layout.title, 90))
        every = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (validation, drawn) in zip(every, panels.items(), strict=True):
            for name, curves in drawn:
                _draw(axes, curves, looks[name])
            _label(axes, validation)
        handles = [Line2D([], [], linewidth=2.4, **looks[name]) for name in names]
        texts = [fill(name, 34) for name in names]
        figure.legend(
            handles, texts, loc="outside lower center", ncols=min(3, len(names)),
            title="thin: one seed; thick: mean of the seeds",
        )  # fmt: skip
    return figure


def _curves(row: Row) -> Iterator[tuple[Validation, list[Curve]]]:
    """The row's validation file with a curve for each run that has one; nothing without."""
    results = row.group.results if row.group else ()
    curves = [curve for result in results if (curve := _curve(result))]
    if curves:
        name = row.data.name if row.data else ""
        splits, scores = results[0].splits["valid"], results[0].scores["valid"]
        yield Validation(name, str(splits["sha256"]), int(scores["gold"])), curves


def _label(axes: Axes, validation: Validation) -> None:
    axes.set_title(
        f"{validation.name} (valid sha256 {validation.sha256[:CHECKSUM]})", fontsize="medium"
    )
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation F1\n({VARIANTS[DEFAULT]}, {validation.gold} gold entities)")
    # Whole epochs, be they one or two: by default two ticks are wanted, whatever they say.
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def _curve(result: Result) -> Curve:
    points = {int(epoch["epoch"]): epoch["valid_f1"] for epoch in result.curve}
    return {epoch: float(f1) for epoch, f1 in points.items() if f1 is not None}


def _draw(axes: Axes, curves: Sequence[Curve], look: Look) -> None:
    for curve in curves:
        axes.plot(*_points(curve), linewidth=0.8, alpha=0.45, **look)
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    mean = {epoch: fmean(curve[epoch] for curve in curves) for epoch in common}
    axes.plot(*_points(mean), linewidth=2.4, marker="o", markersize=3.5, zorder=3, **look)


def _points(curve: Curve) -> tuple[list[int], list[float]]:
    return list(curve), list(curve.values())
