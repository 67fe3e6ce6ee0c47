"""Calibration as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def calibration_table(found: Mapping[str, Any]) -> Table:
    """A row a bin of `mmseq.scoring.calibration.Calibration.to_json`; below, what sums it up."""
    table = Table(title="Scores of predicted entities", title_justify="left")
    table.add_column("scores")
    for heading in ("entities", "mean score", "right"):
        table.add_column(heading, justify="right")
    for part in found["bins"]:
        alike = part["low"] == part["high"]
        scores = f"{part['low']:.4f}" if alike else f"{part['low']:.4f} to {part['high']:.4f}"
        figures = (f"{part['score']:.4f}", f"{part['right']:.4f}")
        table.add_row(scores, f"{part['entities']:,}", *figures)
    table.caption_justify = "left"
    table.caption = "\n".join(calibration_lines(found))
    return table


def calibration_lines(found: Mapping[str, Any]) -> list[str]:
    """What sums it up, and what is left out."""
    lines = []
    if found["entities"]:
        error, brier = found["expected_error"], found["brier"]
        lines.append(f"expected error {error:.4f}, Brier {brier:.4f}")
        lines.append("right: borders and type as in gold")
    else:
        lines.append("no predicted entity has a score")
    if found["unscored"]:
        lines.append(f"{found['unscored']:,} without a score from 0 to 1 left out")
    return lines
