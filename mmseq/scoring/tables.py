"""A report of `mmseq.scoring.report` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mmseq.console import print_line
from mmseq.scoring.averages import AVERAGES, absent_line
from mmseq.scoring.calibration_table import calibration_table
from mmseq.scoring.metrics import FIGURES, VARIANTS
from mmseq.scoring.mistakes import MATCHED
from mmseq.table_width import print_table

RELAXED = {
    "boundaries": "right borders, any type",
    "type": "right type, shares a word",
    "overlap": "any type, shares a word",
}
ERRORS = {
    "correct": "correct",
    "boundaries": "right type, wrong borders",
    "type": "right borders, wrong type",
    "both": "overlapping, both wrong",
    "missed": "missed",
    "spurious": "spurious",
}
GROUPS = {
    "type": "type",
    "name": "name in training",
    "entity_length": "words of entity",
    "sentence_length": "words of sentence",
    "pictures": "pictures",
}


def render(report: Mapping[str, Any], console: Console) -> None:
    """Print files with their checksums, then scores, errors and groups as tables."""

    def line(text: str) -> None:
        print_line(console, text)

    for name, facts in report["data"].items():
        line(f"{name}: {facts['path']} ({facts['sentences']:,} sentences, {facts['scheme']})")
        line(f"  SHA-256 {facts['sha256']}")
    print_table(console, _scores(report))
    if sum(report["orphans"].values()):
        line(_orphans(report))
    if said := absent_line(report["averages"]):
        line(said)
    print_table(console, _errors(report["errors"]))
    if report["confused"]:
        print_table(console, confused_table(report["confused"]))
    print_table(console, _groups(report["groups"]))
    if report["calibration"]:
        print_table(console, calibration_table(report["calibration"]))


def _scores(report: Mapping[str, Any]) -> Table:
    table = _table("Scores (borders and type, but for relaxed)", "variant", "entities")
    for variant, row in report["variants"].items():
        style = "bold" if variant == "default" else ""
        table.add_row(variant, VARIANTS[variant], *_cells(row), style=style)
    for name, told in AVERAGES.items():
        row = report["averages"][name]
        table.add_row(name, told, *(f"{row[key]:.2f}" for key in FIGURES[:3]), "", "", "")
    table.add_section()
    for name, row in report["relaxed"].items():
        table.add_row(f"relaxed: {name}", RELAXED[name], *_cells(row))
    return table


def _orphans(report: Mapping[str, Any]) -> str:
    gold, predicted = (report["orphans"][side] for side in ("gold", "predicted"))
    return (
        f"{gold:,} orphan I- in gold, {predicted:,} in predicted: default and repaired open an "
        "entity there, strict does not."
    )


def _errors(errors: Mapping[str, int]) -> Table:
    table = Table(title="Entities (default)", title_justify="left")
    table.add_column("")
    for heading in ("entities", "% of gold", "% of predicted"):
        table.add_column(heading, justify="right", no_wrap=True)
    matched = sum(errors[kind] for kind in MATCHED)
    for kind, count in errors.items():
        of_gold = "" if kind == "spurious" else _share(count, matched + errors["missed"])
        of_predicted = "" if kind == "missed" else _share(count, matched + errors["spurious"])
        table.add_row(ERRORS[kind], f"{count:,}", of_gold, of_predicted)
    return table


def confused_table(confused: Mapping[str, Mapping[str, int]]) -> Table:
    """`mmseq.scoring.confusions.confused` as a table: a row a gold type."""
    types = sorted({*confused, *(kind for row in confused.values() for kind in row)})
    table = Table(title="Types mistaken for another (same borders)", title_justify="left")
    table.add_column("gold, predicted as")
    for kind in types:
        table.add_column(kind, justify="right", no_wrap=True)
    for kind in types:
        row = confused.get(kind, {})
        if row:
            table.add_row(kind, *(str(row.get(other, "")) for other in types))
    return table


def _groups(groups: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("Groups (default)", "by", "group")
    for key, heading in GROUPS.items():
        for group, row in groups.get(key, {}).items():
            if row["gold"] or row["predicted"]:
                # Ambiguous names are counted among the seen ones too.
                part = "seen, " if (key, group) == ("name", "ambiguous") else ""
                table.add_row(heading, part + group, *_cells(row))
        table.add_section()
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    for heading in ("P", "R", "F1", *FIGURES[3:]):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(row: Mapping[str, Any]) -> list[str]:
    scores = ["–" if row[key] is None else f"{row[key]:.2f}" for key in FIGURES[:3]]
    return [*scores, *(f"{row[key]:,}" for key in FIGURES[3:])]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "–"
