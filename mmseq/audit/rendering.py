"""An audit on the terminal: one table, the sentences that change, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from rich.table import Table

from mmseq.audit.changes import Change
from mmseq.audit.comparison import AMBIGUOUS
from mmseq.audit.conditions import NONE, SHUFFLED, TRUE
from mmseq.audit.report import AuditReport
from mmseq.console import Reporter
from mmseq.data.tags import spans
from mmseq.scoring.calibration_table import calibration_table
from mmseq.scoring.significance import p_text

MOST_TYPES = 6
"""Columns for types: the most frequent ones; the JSON has all"""


def render(report: AuditReport, reporter: Reporter) -> None:
    """Print the report."""
    data = report.data
    reporter.line(
        f"{data['path']}: {data['sentences']} sentences, {data['with_pictures']} with pictures "
        f"that can be used, {data['entities']} entities"
    )
    reporter.table(condition_table(report))
    if report.calibration:
        reporter.table(calibration_table(report.calibration.to_json()))
    if report.named:
        reporter.line(report.named.line())
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
    table = Table(title=f"Pictures of {report.run}", title_justify="left")
    table.add_column("pictures", no_wrap=True)
    names = report.ambiguous
    recall = bool(names and names.entities)
    headings = ["P", "R", "F1", *frequent]
    headings += ["ambiguous R"] * recall
    for heading in (*headings, "true less this", "95 % interval", "adjusted p"):
        table.add_column(heading, justify="right")
    for name, scores in report.conditions.items():
        parts = {kind: scores.per_type.get(kind, 0.0) for kind in frequent}
        if recall:
            parts[AMBIGUOUS] = scores.ambiguous_recall or 0.0
        figures = [f"{value:.2f}" for value in (scores.precision, scores.recall, scores.f1)]
        for part, value in parts.items():
            tested = name == SHUFFLED and report.parts[part].shown(settings["alpha"])
            figures.append(f"{value:.2f}{'*' if tested else ''}")
        found = report.comparisons.get(name)
        tests = ["", "", ""]
        if found:
            tests = [
                f"{found.effect:+.2f}",
                f"{found.low:+.2f} to {found.high:+.2f}",
                p_text(found.p_adjusted),
            ]
        table.add_row(name, *figures, *tests, style="bold" if name == TRUE else None)
    table.caption, table.caption_justify = _caption(report), "left"
    return table


def _caption(report: AuditReport) -> str:
    settings, names = report.settings, report.ambiguous
    parts = ["F1 in seqeval's default reading"]
    if len(report.data["types"]) > MOST_TYPES:
        parts.append(f"the {MOST_TYPES} most frequent types")
    if names and names.entities:
        parts.append(f"recall of {names.entities} ambiguous names (by the {names.source})")
    if SHUFFLED in report.conditions:
        parts.append(
            f"shuffled: mean of {settings['permutations']} permutations, * where a part of the "
            "figures differs from true"
        )
    parts.append(f"{settings['resamples']} resamples, Holm over {len(report.comparisons)} tests")
    return "; ".join(parts)


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
