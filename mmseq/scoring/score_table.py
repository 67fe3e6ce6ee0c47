"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from mmseq.scoring.averages import AVERAGES, absent_line
from mmseq.scoring.metrics import VARIANTS, variants


def score_table(scores: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Scores of one or several splits: per type (seqeval's default reading), then each variant;
    variants that agree in all figures are one row.
    """
    table = Table(title=title, title_justify="left")
    for heading in ("split", "entities", "P", "R", "F1", "gold"):
        words = heading in ("split", "entities")
        # A number is never cut in two where the terminal is narrow.
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    for split, values in scores.items():
        for name, row in sorted(values["per_type"].items()):
            table.add_row(split, name, *_figures(row), str(row["support"]))
        for names, row in _alike(variants(values)):
            told = " = ".join(names) if names[1:] else f"{names[0]} ({VARIANTS[names[0]]})"
            style = "bold" if "default" in names else ""
            table.add_row(split, f"all, {told}", *_figures(row), str(row["gold"]), style=style)
        for average, told in AVERAGES.items():
            # A run of before has none.
            if row := values.get(average):
                table.add_row(split, f"{average} ({told})", *_figures(row), str(values["gold"]))
        table.add_section()
    lines = {name: absent_line(values) for name, values in scores.items()}
    said = [f"{name}: {line}" if len(lines) > 1 else line for name, line in lines.items() if line]
    table.caption, table.caption_justify = "\n".join(said) or None, "left"
    return table


def _alike(rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[list[str], Mapping[str, Any]]]:
    """Names of the variants with the same figures, and these."""
    found: list[tuple[list[str], Mapping[str, Any]]] = []
    for name, row in rows.items():
        same = next((names for names, other in found if other == row), None)
        if same is None:
            found.append(([name], row))
        else:
            same.append(name)
    return found


def _figures(row: Mapping[str, float]) -> list[str]:
    return [f"{row[key]:.2f}" for key in ("precision", "recall", "f1")]
