"""Timing of two ways to do one thing, in turns, so that a machine's moods meet both."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def interleave(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that does not count; the order turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        names = names[1:] + names[:1]
        for name in names:
            started = time.perf_counter()
            ways[name]()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times as fast, round by round: the median, the least and the greatest."""
    found = [a / b for a, b in zip(slow, fast, strict=True)]
    return {"median": statistics.median(found), "least": min(found), "greatest": max(found)}


def tell(rows: Sequence[Mapping[str, Any]], title: str, path: str | None) -> None:
    """Print `rows` as a table, and write them to `path` as JSON."""
    table = Table(title=title, title_justify="left")
    for heading in rows[0]:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    # As wide as its rows, also in a file.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if path:
        Path(path).write_text(json.dumps({"title": title, "rows": list(rows)}, indent=2) + "\n")
