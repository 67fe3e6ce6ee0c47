"""`mmseq table`: results as a table or a plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.output import require_new
from mmseq.errors import UserError
from mmseq.prose import say
from mmseq.streams import put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from mmseq.tables.layout import Layout
    from mmseq.tables.table import Table

FORMATS = ("rich", "markdown", "latex", "csv", "json")
PICTURES = (".png", ".svg")


@click.command(short_help="Make a table, a plot or learning curves of results.")
@click.argument("results", nargs=-1, required=True, metavar="RESULTS…")
@click.option(
    "--plan", metavar="PLAN", help="Rows, titles and published figures of this plan [the bench's]."
)
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="test",
    help="Split whose scores to show [test].",
)
@click.option(
    "--variant",
    type=click.Choice(["default", "strict", "repaired"]),
    default="default",
    help="How entities are read: seqeval's default, strict IOB2, orphan I- repaired [default].",
)
@click.option("--per-type", is_flag=True, help="A further line for each entity type.")
@click.option("--averages", is_flag=True, help="Further lines: macro and weighted averages.")
@click.option(
    "--baseline",
    metavar="SYSTEM",
    help="System to test the others against; or none [the bench's].",
)
@click.option(
    "--published",
    metavar="NAME",
    help="Published figures beside yours: a name or a TOML file; or none [the bench's].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="[by the ending of --output: .md, .tex, .csv, .json; else rich].",
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="New file.")
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="New PNG or SVG file: every seed's F1.",
)
@click.option(
    "--curves",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="New PNG or SVG file: validation F1 after each epoch.",
)
def table(
    results: tuple[str, ...],
    plan: str | None,
    split: str,
    variant: str,
    per_type: bool,
    averages: bool,
    baseline: str | None,
    published: str | None,
    form: str | None,
    output: Path | None,
    plot: Path | None,
    curves: Path | None,
) -> None:
    """Make a table of results: files results.jsonl, folders that hold one, run folders (RUN or
    NAME=RUN), folders of runs.

    Several are merged. Only runs that differ by the seed alone share a row; others have rows of
    their own that say how they differ. A bench's title, rows, baseline and published figures are
    taken from its folder. Plots need the extra `report`.

    \b
    Examples:
      mmseq table bench/results.jsonl
      mmseq table runs/gate-seed1 runs/gate-seed2 --curves curves.png
      mmseq table bench other-machine/results.jsonl --baseline bert-crf \\
        --output table.tex
    """
    from dataclasses import replace

    from mmseq.tables.forms import ENDINGS, text_of
    from mmseq.tables.sources import read_sources
    from mmseq.tables.table import build

    for flag, path in (("--output", output), ("--plot", plot), ("--curves", curves)):
        if path is not None:
            require_new(path, flag)
    for flag, path in (("--plot", plot), ("--curves", curves)):
        if path is not None and path.suffix.lower() not in PICTURES:
            raise UserError(f"{flag} {path}: give a name that ends in .png or .svg.")
    reading, remembered = read_sources(results)
    for note in reading.notes:
        say(note, err=True)
    if not reading.results:
        raise UserError(f"{', '.join(results)}: no results yet.")
    layout = _layout(plan) or remembered
    layout = replace(
        layout,
        published=_chosen(published, layout.published),
        baseline=_chosen(baseline, layout.baseline, [row.system for row in layout.rows]),
    )
    made = build(
        reading.results,
        layout,
        split=split,
        variant=variant,
        per_type=per_type,
        averages=averages,
    )
    form = form or ENDINGS.get(output.suffix.lower() if output else "", "rich")
    if output is None:
        print_table(made, form)
    else:
        _write("--output", output, text_of(made, form).encode())
    if plot is not None:
        _draw(made, "--plot", plot, _strip_plot)
    if curves is not None:
        _draw(made, "--curves", curves, _learning_curves)


def _chosen(given: str | None, remembered: str, names: Sequence[str] = ()) -> str:
    """What the flag says; ``none`` is nothing, where it is not a name itself."""
    if given == "none" and given not in names:
        return ""
    return given or remembered


def _layout(plan: str | None) -> Layout | None:
    """The rows of a plan; `UserError` for the first mistake in it."""
    if plan is None:
        return None
    from mmseq.bench.plan import Problems, find_plan, read_plan
    from mmseq.tables.layout import layout_of_plan

    problems = Problems()
    found = read_plan(find_plan(plan), problems)
    if problems.lines:
        raise UserError(f"{plan}: {problems.lines[0]}")
    return layout_of_plan(found)


def print_table(made: Table, form: str) -> None:
    """A table on standard output; `rich` is as wide as there is room, on a terminal in colours."""
    from mmseq.console import wide_console
    from mmseq.tables.forms import text_of
    from mmseq.tables.grid import grid
    from mmseq.tables.rich_table import print_grid

    if form == "rich":
        print_grid(grid(made), wide_console())
    else:
        put(text_of(made, form), nl=False)


def _strip_plot(made: Table) -> Figure:
    from mmseq.tables.strip_plot import strip_plot

    return strip_plot(made)


def _learning_curves(made: Table) -> Figure:
    from mmseq.tables.learning_curves import learning_curves

    return learning_curves(made)


def _draw(made: Table, flag: str, path: Path, figure: Callable[[Table], Figure]) -> None:
    from mmseq.tables.drawing import render_figure

    try:
        picture = render_figure(figure(made), path.suffix[1:].lower())
    except ImportError as error:
        raise UserError(
            f"Plots are drawn with matplotlib, which cannot be imported ({error}): "
            "pip install 'mmseq[report]'."
        ) from error
    _write(flag, path, picture)


def _write(flag: str, path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{flag} {path}: cannot be written ({error.strerror}).") from error
