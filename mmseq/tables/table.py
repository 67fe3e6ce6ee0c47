"""A table of results, before it is written in any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmseq.bench.results import Result
from mmseq.errors import UserError, unknown
from mmseq.tables.beside import Beside, beside
from mmseq.tables.comparisons import Comparison, compare
from mmseq.tables.groups import DataSet, Group, group
from mmseq.tables.layout import Layout, LayoutRow
from mmseq.tables.measures import Measured, measure
from mmseq.tables.published import Published, Source, find_published, read_published
from mmseq.tables.readings import DEFAULT, check_variant


@dataclass(frozen=True)
class Row:
    """A system on a data set; or one that has no results there."""

    layout: LayoutRow
    data: DataSet | None
    """None where the table has no results at all"""
    group: Group | None
    """None where the system has no results"""
    measured: Measured | None
    published: tuple[Beside, ...]
    """The first stands in the table's column, others in notes"""
    comparison: Comparison | None

    @property
    def name(self) -> str:
        """Title, and how the row differs from others of the system."""
        differs = self.group.differs if self.group else ""
        return f"{self.layout.name} ({differs})" if differs else self.layout.name


@dataclass(frozen=True)
class Table:
    """What every format is written from."""

    layout: Layout
    split: str
    variant: str
    data: tuple[DataSet, ...]
    rows: tuple[Row, ...]
    sources: dict[str, Source]
    """Of the figures beside the rows, in order of appearance"""
    notes: tuple[str, ...]

    def label(self, data: DataSet) -> str:
        """The data set's name, with checksum and gold count where another has the name too."""
        alike = [other for other in self.data if other.name == data.name]
        return data.name if len(alike) == 1 else f"{data.name} {data.sha256[:8]}, {data.gold} gold"


def build(
    results: Sequence[Result],
    layout: Layout,
    *,
    split: str = "test",
    variant: str = "default",
    per_type: bool = False,
    averages: bool = False,
) -> Table:
    """Rows of the layout for each test file among the results, in the order of the results.

    Only runs that differ by the seed alone share a row. `per_type`: with scores of each type;
    `averages`: with their macro and weighted averages. `UserError` for an unknown variant,
    baseline or published figures, and where results lack the split or the variant's scores.
    """
    check_variant(variant)
    systems = [row.system for row in layout.rows]
    if layout.baseline and layout.baseline not in systems:
        raise unknown("baseline system", layout.baseline, systems)
    published = published_of(layout)
    chosen, notes = _choose(results, systems, split)
    groups, more = group(chosen, split, variant)
    notes += more
    comparisons: list[Comparison | None] = [None] * len(groups)
    if layout.baseline and variant == DEFAULT:
        comparisons, more = compare(groups, layout.baseline, split)
        notes += more
    elif layout.baseline:
        notes.append(
            "Not tested: results keep the counts of each sentence in seqeval's default reading "
            "only; take --variant default."
        )
    tested = list(zip(groups, comparisons, strict=True))
    data: tuple[DataSet, ...] = tuple(dict.fromkeys(g.data for g in groups))
    rows: list[Row] = []

    def measured(group: Group) -> Measured:
        return measure(group, split, variant, per_type=per_type, averaged=averages)

    for one in data or (None,):
        for row in layout.rows:
            figures = _beside(published, row, one, variant, layout)
            own = [(g, c) for g, c in tested if g.system == row.system and g.data == one]
            rows += [Row(row, one, g, measured(g), figures, c) for g, c in own] or [
                Row(row, one, None, None, figures, None)
            ]
    notes += [*_training_files(groups), *_threads(groups)]
    names = dict.fromkeys(b.figure.source for row in rows for b in row.published)
    sources = {name: published.sources[name] for name in names} if published else {}
    return Table(layout, split, variant, data, tuple(rows), sources, tuple(notes))


def published_of(layout: Layout) -> Published | None:
    """The figures that the layout names, if it names any; `UserError` where they cannot be read."""
    if not layout.published:
        return None
    published = read_published(find_published(layout.published))
    if layout.published_data and layout.published_data not in published.data:
        raise unknown("published data set", layout.published_data, published.data)
    return published


def _choose(
    results: Sequence[Result], systems: Sequence[str], split: str
) -> tuple[list[Result], list[str]]:
    """Results that the table has a row for and that have scores of the split; notes on others."""
    notes = []
    others = [result for result in results if result.system not in systems]
    if others:
        names = ", ".join(dict.fromkeys(result.system for result in others))
        notes.append(f"Left out, no systems of this table: {names} (runs: {len(others)}).")
    own = [result for result in results if result.system in systems]
    unscored = [result for result in own if split not in result.scores]
    if own and len(unscored) == len(own):
        there = sorted({name for result in own for name in result.scores})
        raise UserError(
            f"No result has scores of the split '{split}'; there are: {', '.join(there) or 'none'}."
        )
    if unscored:
        names = ", ".join(f"{r.system} on {r.data} seed {r.seed}" for r in unscored)
        notes.append(f"Left out, no scores of the split '{split}': {names}.")
    return [result for result in own if split in result.scores], notes


def _beside(
    published: Published | None, row: LayoutRow, data: DataSet | None, variant: str, layout: Layout
) -> tuple[Beside, ...]:
    if published is None or not row.published:
        return ()
    return beside(published, row.published, data, variant, layout.published_data)


def _training_files(groups: Sequence[Group]) -> list[str]:
    """Systems trained on other sentences stand in one table: said, for a row alone cannot."""
    notes = []
    for data in dict.fromkeys(g.data for g in groups):
        files: dict[str, list[str]] = {}
        for g in groups:
            if g.data == data and "train" in g.results[0].splits:
                sha256 = str(g.results[0].splits["train"]["sha256"])
                files.setdefault(sha256[:8], []).append(g.system)
        if len(files) > 1:
            told = "; ".join(f"{', '.join(dict.fromkeys(s))}: {f}" for f, s in files.items())
            notes.append(f"{data.name}: training files differ (sha256): {told}.")
    return notes


def _threads(groups: Sequence[Group]) -> list[str]:
    """Threads change the order of sums, and with it the last digits of losses and what grows of
    them: said where a table mixes them, as of seconds.
    """
    # 0: a run folder does not say.
    counts = sorted({result.threads for g in groups for result in g.results} - {0})
    if len(counts) < 2:
        return []
    return [
        f"Runs with {', '.join(map(str, counts))} threads stand together: seconds differ by that, "
        "and figures repeat to the last digit only with equal threads."
    ]
