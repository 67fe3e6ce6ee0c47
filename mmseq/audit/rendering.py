"""An audit on the terminal: one table, the sentences that change, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from rich.markup import escape
from rich.table import Table

from mmseq.audit.changes import Change
from mmseq.audit.conditions import NONE, SHUFFLED, TRUE
from mmseq.audit.report import AuditReport
from mmseq.console import Reporter
from mmseq.labels import spans
from mmseq.significance import p_text

MOST_TYPES = 6
"""Columns for types: the most frequent ones; the JSON has all"""
COLOURS = {"matter": "green", "mislead": "red"}


def render(report: AuditReport, reporter: Reporter) -> None:
    """Print the report."""
    data = report.data
    reporter.line(
        f"{data['path']}: {data['sentences']} sentences, {data['with_pictures']} with pictures "
        f"that can be used, {data['entities']} entities"
    )
    reporter.table(condition_table(report))
    for note in report.notes:
        reporter.line(note)
    for name, tally in report.changes.tallies.items():
        reporter.line(
            f"Against {name}, tags change in {tally.changed} sentences: its own pictures help in "
            f"{tally.helped} and hurt in {tally.hurt}."
        )
    for change in report.changes.sentences:
        for line in change_lines(change):
            reporter.line(line)
    reporter.line(f"\n{report.verdict.sentence}")


def condition_table(report: AuditReport) -> Table:
    """A row a condition."""
    settings, support = report.settings, report.data["types"]
    frequent = sorted(support, key=lambda kind: (-support[kind], kind))[:MOST_TYPES]
    table = Table(title=f"Pictures of {escape(report.run)}", title_justify="left")
    table.add_column("pictures", no_wrap=True)
    names = report.ambiguous
    recall = bool(names and names.entities)
    headings = ["P", "R", "F1", *map(escape, frequent)]
    headings += ["ambiguous R"] * recall
    for heading in (*headings, "true less this", "95 % interval", "adjusted p"):
        table.add_column(heading, justify="right")
    for name, scores in report.conditions.items():
        row = [scores.precision, scores.recall, scores.f1]
        row += [scores.per_type.get(kind, 0.0) for kind in frequent]
        row += [scores.ambiguous_recall or 0.0] * recall
        found = report.comparisons.get(name)
        tests = ["", "", ""]
        if found:
            tests = [
                f"{found.effect:+.2f}",
                f"{found.low:+.2f} to {found.high:+.2f}",
                p_text(found.p_adjusted),
            ]
        figures = [f"{value:.2f}" for value in row]
        table.add_row(name, *figures, *tests, style="bold" if name == TRUE else None)
    types = "" if len(frequent) == len(support) else f"; the {MOST_TYPES} most frequent types"
    recalls = ""
    if names and recall:
        recalls = f"; recall of {names.entities} ambiguous names (by the {names.source})"
    table.caption = (
        f"F1 in seqeval's default reading{types}{recalls}; shuffled: mean of "
        f"{settings['permutations']} permutations; {settings['resamples']} resamples, Holm over "
        f"{len(report.comparisons)} comparisons"
    )
    table.caption_justify = "left"
    return table


def change_lines(change: Change) -> list[str]:
    """A sentence, its pictures, and the entities on which gold and conditions do not agree."""
    example = change.example
    does = "helps" if change.gain > 0 else "hurts"
    pictures = ", ".join(map(str, change.own)) or "no picture"
    lines = [
        "",
        f"{does}: {example.where} {pictures}",
        f"  {shorten(' '.join(example.tokens), 160, placeholder=' …')}",
    ]
    rows: Mapping[str, tuple[str, ...]] = {"gold": example.tags or ()} | {
        name: change.tags[name] for name in (TRUE, SHUFFLED, NONE) if name in change.tags
    }
    found = {name: spans(tags) for name, tags in rows.items()}
    agreed = set.intersection(*(set(entities) for entities in found.values()))
    for name, entities in found.items():
        shown = [
            f"{kind} {' '.join(example.tokens[start:end])}"
            for start, end, kind in entities
            if (start, end, kind) not in agreed
        ]
        lines.append(f"    {name:<9} {'; '.join(shown) or '-'}")
    return lines
