"""Logs of JSON lines that each have a `step`, such as history.jsonl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.files import write_text


def drop_after(step: int, path: Path) -> None:
    """Keep the lines of a log up to a step.

    What an interrupted run logged after its last checkpoint will be done, and logged, again.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    kept = [line for line in text.splitlines() if _step(line) <= step]
    write_text(path, "".join(line + "\n" for line in kept))


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _step(line: str) -> float:
    """The step a line belongs to; infinite for a half-written line, so that it is dropped."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
