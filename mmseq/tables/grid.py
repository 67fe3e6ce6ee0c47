"""A table as text: headings, cells and the lines under it, before any markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmseq.scoring.averages import AVERAGES
from mmseq.tables.beside import Beside
from mmseq.tables.measures import METRICS, Measured
from mmseq.tables.readings import EXPLAINED
from mmseq.tables.spread import Spread
from mmseq.tables.table import Row, Table

Cell = tuple[str, ...]
"""One or two lines"""
CHECKSUM = 12
"""Characters of a checksum that are printed"""


@dataclass(frozen=True)
class Grid:
    """What markup is put around."""

    title: str
    headings: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    starts: frozenset[int]
    """Rows above which a data set begins, the first row left out"""
    caption: tuple[str, ...]
    """What the figures are of: sentences, a line each"""


def grid(table: Table) -> Grid:
    """The table's cells as text. The first column is of words, the others are of figures."""
    numbers = {name: number for number, name in enumerate(table.sources, 1)}
    several = len(table.data) > 1
    figures = any(row.published for row in table.rows)
    tested = any(row.comparison for row in table.rows)
    headings: list[Cell] = [("system",)]
    if several:
        headings.append(("data",))
    headings += [("runs", "seeds"), ("P",), ("R",), ("F1",)]
    if figures:
        headings.append(("published P / R / F1", "ours - published"))
    if tested:
        headings.append((f"F1 - {_baseline(table)}", "p (Holm)"))
    headings += [("seconds", "training, all"), ("parameters", "all, trained")]
    rows: list[tuple[Cell, ...]] = []
    starts = set()
    for index, row in enumerate(table.rows):
        if index and row.data != table.rows[index - 1].data:
            starts.add(len(rows))
        cells: list[Cell] = [(row.name,)]
        if several:
            cells.append((table.label(row.data) if row.data else "",))
        cells += _scores(row)
        if figures:
            cells.append(_published(row.published, row.measured, numbers))
        if tested:
            cells.append(_comparison(row, table.layout.baseline))
        cells += _costs(row.measured)
        rows.append(tuple(cells))
        rows += _types(row.measured, len(headings), several=several)
    title = table.layout.title or "Results"
    return Grid(
        title, tuple(headings), tuple(rows), frozenset(starts), tuple(_caption(table, numbers))
    )


def seeds_text(seeds: Iterable[int]) -> str:
    """``1-3, 5`` of 1, 2, 3 and 5."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def _baseline(table: Table) -> str:
    return next(r.name for r in table.layout.rows if r.system == table.layout.baseline)


def _scores(row: Row) -> list[Cell]:
    """Runs with their seeds, P, R and F1."""
    if row.group is None or row.measured is None:
        return [(row.layout.absence,), (), (), ()]
    runs = (str(len(row.group.seeds)), seeds_text(row.group.seeds))
    return [runs, *(_spread(row.measured.scores[metric]) for metric in METRICS)]


def _types(measured: Measured | None, width: int, *, several: bool) -> list[tuple[Cell, ...]]:
    """A row for each entity type and each average of them, its name indented, its gold entities in
    place of the runs.
    """
    rows = []
    parts = [*measured.per_type.items(), *measured.averages.items()] if measured else []
    for name, found in parts:
        cells: list[Cell] = [(f"  {name}",), *([()] if several else []), (f"{found.support} gold",)]
        cells += [_spread(found.scores[metric]) for metric in METRICS]
        rows.append((*cells, *([()] * (width - len(cells)))))
    return rows


def _spread(spread: Spread, places: int = 2) -> Cell:
    if spread.sd is None:
        return (f"{spread.mean:.{places}f}",)
    return (
        f"{spread.mean:.{places}f} ± {spread.sd:.{places}f}",
        f"{spread.low:.{places}f}–{spread.high:.{places}f}",
    )


def _published(
    figures: Sequence[Beside], measured: Measured | None, numbers: dict[str, int]
) -> Cell:
    if not figures:
        return ()
    first = figures[0]
    values = [_value(getattr(first.figure, metric)) for metric in METRICS]
    text = f"{' / '.join(values)} [{numbers[first.figure.source]}]"
    if first.obstacle:
        return text, f"{first.obstacle}: {first.data}"
    if measured is None:
        return (text,)
    return text, " / ".join(signed(value) for value in first.differences(measured).values())


def _comparison(row: Row, baseline: str) -> Cell:
    if row.layout.system == baseline:
        return ("baseline",) if row.group else ()
    if row.comparison is None:
        return ("not tested",) if row.group else ()
    from mmseq.scoring.significance import p_text

    found = row.comparison.difference
    interval = f"{signed(found.effect)} [{signed(found.low)}, {signed(found.high)}]"
    return interval, f"p {p_text(row.comparison.p)}"


def signed(value: float | None) -> str:
    """Two places and a sign; a rounded zero has none of its own; a dash for what is absent."""
    return "–" if value is None else f"{round(value, 2) + 0.0:+.2f}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _costs(measured: Measured | None) -> list[Cell]:
    """Seconds and parameters."""
    if measured is None:
        return [(), ()]
    seconds = [_spread(spread, 1)[0] for spread in measured.seconds.values()]
    return [tuple(seconds), tuple(_count(measured.parameters[n]) for n in ("all", "trained"))]


def _count(number: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return str(number)


def _caption(table: Table, numbers: dict[str, int]) -> list[str]:
    lines = [
        f"{table.label(data)}: {table.split} split, {data.sentences} sentences, {data.gold} gold "
        f"entities, sha256 {data.sha256[:CHECKSUM]}."
        for data in table.data
    ]
    lines.append(f"Micro scores, 0 to 100; {EXPLAINED[table.variant]}.")
    if any(row.measured.averages for row in table.rows if row.measured):
        told = "; ".join(f"{name}: {text}" for name, text in AVERAGES.items())
        lines.append(f"{told}; of types in gold or predicted entities, as scikit-learn counts.")
    groups = [row.group for row in table.rows if row.group]
    if any(len(g.seeds) > 1 for g in groups):
        alike = len({g.seeds for g in groups}) == 1
        seeds = f"seeds {seeds_text(groups[0].seeds)}" if alike else "the seeds of each row"
        lines.append(f"Mean ± sample standard deviation over {seeds}; below, minimum–maximum.")
    elif groups:
        lines.append("One seed a row: no standard deviation, and no more than one draw.")
    tested = [row.comparison for row in table.rows if row.comparison]
    if tested:
        lines.append(
            f"F1 - {_baseline(table)}: mean over the seeds that both have, 95 % paired bootstrap "
            "interval over sentences; p: the larger of paired bootstrap and approximate "
            "randomisation, two-sided, Holm's correction "
            f"over {tested[0].family} comparison{'s' if tested[0].family > 1 else ''}."
        )
    sources = [f"[{number}] {table.sources[name].text}" for name, number in numbers.items()]
    return [*lines, *_published_lines(table, numbers), *table.notes, *sources]


def _published_lines(table: Table, numbers: dict[str, int]) -> list[str]:
    lines = []
    if numbers:
        lines.append(
            "Published values are subtracted only where ours are of the same test file in the "
            "same reading."
        )
    for row in table.rows:
        for other in row.published[1:]:
            text = f", {other.obstacle}" if other.obstacle else ""
            differs = other.difference("f1", row.measured)
            if differs is not None:
                text = f", ours - published {signed(differs)}"
            place = f" on {table.label(row.data)}" if row.data and len(table.data) > 1 else ""
            lines.append(
                f"{row.name}{place}: also published on {other.data}: F1 {other.figure.f1:.2f} "
                f"[{numbers[other.figure.source]}]{text}."
            )
    return lines
