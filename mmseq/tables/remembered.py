"""What a bench's table showed, kept beside its results: title, rows, baseline, published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mmseq.errors import UserError
from mmseq.files import read_json, write_json
from mmseq.shapes import Shape, Text, fault
from mmseq.tables.layout import Layout, LayoutRow

FILE = "layout.json"


class _Row(Shape):
    """As `LayoutRow`."""

    system: Text
    title: Text = ""
    published: Text = ""
    preset: Text = ""


class _Layout(Shape):
    """As `Layout`."""

    title: Text = ""
    rows: list[_Row]
    published: Text = ""
    published_data: Text = ""
    baseline: Text = ""


def remember(folder: Path, layout: Layout) -> None:
    """Write it into a bench's folder; a file of published figures is named by its whole path."""
    published = layout.published
    if published and Path(published).is_file():
        published = str(Path(published).resolve())
    write_json(folder / FILE, asdict(replace(layout, published=published)))


def remembered(results: Path) -> Layout | None:
    """The layout beside a file of results (or in its folder); None where there is none. `UserError`
    for one that is damaged.
    """
    file = (results if results.is_dir() else results.parent) / FILE
    # Another file of that folder may be of other benches.
    if not file.is_file() or (results.is_file() and results.name != "results.jsonl"):
        return None
    tables = read_json(file)
    if wrong := fault(_Layout, tables):
        raise UserError(f"{file}: damaged: {wrong}; delete it, or name a --plan.")
    rows = tuple(LayoutRow(**_known(_Row, row)) for row in tables["rows"])
    return Layout(**{**_known(_Layout, tables), "rows": rows})


def _known(shape: type[Shape], table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table[name] for name in shape.model_fields if name in table}


def joined(layouts: Sequence[Layout], own: Layout) -> Layout:
    """One table of several benches: the first title, baseline and published figures that there are,
    and every row once; then those of `own`, which the results have, where no bench had them.
    """
    rows: dict[str, LayoutRow] = {}
    for layout in [*layouts, own]:
        for row in layout.rows:
            rows.setdefault(row.system, row)

    first = next((layout for layout in layouts if layout.published), own)
    return Layout(
        title=next((layout.title for layout in layouts if layout.title), ""),
        rows=tuple(rows.values()),
        published=first.published,
        published_data=first.published_data,
        baseline=next((x.baseline for x in layouts if x.baseline in rows and x.baseline), ""),
    )
