"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from mmseq.scoring.metrics import VARIANTS, variants


def score_table(scores: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Scores of one or several splits: per type (seqeval's default reading), then each variant."""
    table = Table(title=title, title_justify="left")
    for heading in ("split", "entities", "P", "R", "F1", "gold"):
        table.add_column(heading, justify="left" if heading in ("split", "entities") else "right")
    for split, values in scores.items():
        for name, row in sorted(values["per_type"].items()):
            table.add_row(split, escape(name), *_figures(row), str(row["support"]))
        for variant, row in variants(values).items():
            style = "bold" if variant == "default" else ""
            name = f"all, {variant} ({VARIANTS[variant]})"
            table.add_row(split, name, *_figures(row), str(row["gold"]), style=style)
        table.add_section()
    return table


def _figures(row: Mapping[str, float]) -> list[str]:
    return [f"{row[key]:.2f}" for key in ("precision", "recall", "f1")]
