"""``results.jsonl``: a line for each finished run, only appended to; tables are made of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mmseq.bench.result_line import line_fault
from mmseq.errors import UserError
from mmseq.escaping import json_line
from mmseq.scoring.counts import Counts


@dataclass(frozen=True)
class Result:
    """One finished run, with all that a table, a test of significance or a plot needs."""

    key: str
    """Of configuration, data checksums and versions: equal keys are the same experiment"""
    system: str
    """Name of the row: the preset or what the plan calls it, with the override's name"""
    preset: str
    """Empty where the system has none"""
    data: str
    """Name of the data set: its folder's name, or ``sample``"""
    seed: int
    settings: Mapping[str, Any]
    """Dotted settings on top of the preset"""
    config: Mapping[str, Any]
    """The run's config.toml, every default filled in"""
    splits: Mapping[str, Mapping[str, Any]]
    """Split -> ``sha256``, ``images_sha256``, ``sentences``, ``entities``, … as in metrics.json"""
    versions: Mapping[str, str]
    scores: Mapping[str, Mapping[str, Any]]
    """Split (valid, test) -> scores as in metrics.json"""
    counts: Mapping[str, Mapping[str, list[int]]]
    """Split -> ``correct``, ``predicted``, ``gold``, a number a sentence (default reading)"""
    curve: list[Mapping[str, Any]]
    """Of each epoch: ``epoch``, ``losses``, ``valid_f1`` (None without a validation split)"""
    best_epoch: int
    seconds: Mapping[str, float]
    """``pictures``, ``preparation``, ``training``, ``evaluation`` and ``all``"""
    parameters: Mapping[str, int]
    """``all`` and ``trained``"""
    threads: int
    """CPU threads of the run; 0: not known"""
    finished: str
    """Date and time, ISO 8601, UTC"""
    contents: Mapping[str, str] = field(default_factory=dict)
    """Dotted setting that names a file or folder -> the checksum of its content; empty also in
    lines of before it was told"""
    pictures: Mapping[str, int] | None = None
    """What the image encoder names of the validation pictures: ``pictures``, ``before`` it learned
    from them by itself, ``after``; None where it did not, and in lines of before it was told"""

    def counts_of(self, split: str) -> Counts:
        """Per-sentence counts of a split. `KeyError` where the run has none."""
        return Counts.from_json(self.counts[split])


def append(path: Path, result: Result) -> None:
    """Add a line, whole and on the disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json_line(asdict(result)) + "\n"
    with path.open("a+b") as file:
        # What a kill left half-written must not swallow this line too.
        if file.tell() and not _ends_with_newline(file):
            line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


@dataclass(frozen=True)
class Reading:
    """Results of one or several files, each experiment once."""

    results: list[Result]
    notes: list[str]
    """Lines for the user: what was dropped, and why"""


def read(paths: Iterable[Path]) -> Reading:
    """Results of files (or of folders that hold a ``results.jsonl``), in order, merged by key.

    A half-written last line is dropped and noted. `UserError` for a missing file and, naming file
    and line, for any other line that is not a result.
    """
    found: dict[str, Result] = {}
    notes: list[str] = []
    for path in paths:
        file = path / "results.jsonl" if path.is_dir() else path
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise UserError(
                f"{file}: {error.strerror}; give the folder of a bench or run, or a results.jsonl."
            ) from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                result = _parse(line)
            except (ValueError, RecursionError) as error:
                if _half_written(line):
                    notes.append(
                        f"{file}:{number}: half-written, dropped: its run will be done again."
                    )
                    continue
                raise UserError(
                    f"{file}:{number}: not a result ({error}); remove the line."
                ) from error
            found.setdefault(result.key, result)
    return Reading(list(found.values()), notes)


def _parse(line: bytes) -> Result:
    """`ValueError` saying what is wrong with it."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("no JSON object")
    known = fields(Result)
    required = [f.name for f in known if f.default is f.default_factory is MISSING]
    missing = [name for name in required if name not in record]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")
    if wrong := line_fault(record):
        raise ValueError(wrong)
    result = Result(**{f.name: record[f.name] for f in known if f.name in record})
    for split in result.counts:
        result.counts_of(split)
    return result


def _half_written(line: bytes) -> bool:
    """Cut off: it begins as an object and does not parse. A kill can leave one anywhere, since the
    next run begins a line of its own.
    """
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    except RecursionError:
        return False
    return False
