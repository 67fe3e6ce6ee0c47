"""Run folders, as `mmseq train` makes them, as results of a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmseq.bench.record import counts_of, curve_of, scores_of, seconds_of
from mmseq.bench.result_line import line_fault
from mmseq.bench.results import Result
from mmseq.comparison.sources import identity_of
from mmseq.comparison.systems import names_of
from mmseq.errors import UserError
from mmseq.runs.facts import read_metrics, read_tables
from mmseq.runs.identity import without_places

RUN = ("config.toml", "metrics.json")
"""Files of every finished run"""


@dataclass(frozen=True)
class _Found:
    """A finished run."""

    where: str
    folder: Path
    system: str
    """The name that it was given; empty: none"""
    config: dict[str, Any]
    metrics: dict[str, Any]
    identity: str


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, finished or not."""
    return (folder / RUN[0]).is_file()


def runs_below(folder: Path) -> tuple[list[Path], list[str]]:
    """The finished runs in a folder of runs, by name, and a line on those that are not finished."""
    runs = sorted((path for path in folder.iterdir() if is_run(path)), key=lambda path: path.name)
    finished = [path for path in runs if (path / RUN[1]).is_file()]
    others = [path.name for path in runs if path not in finished]
    if not others:
        return finished, []
    return finished, [f"{folder}: left out, not finished: {', '.join(others)}."]


def results_of(folders: Iterable[tuple[str, Path]]) -> list[Result]:
    """A result of each run; runs that differ by the seed alone are one system.

    A system is called by the name that is given with its folders (first of each pair), else after
    them without the number of the seed. `UserError` for a folder that is no finished run.
    """
    found = [_found(name, folder) for name, folder in folders]
    groups: dict[str, list[_Found]] = {}
    for run in found:
        groups.setdefault(run.system or run.identity, []).append(run)
    names = names_of(list(groups.values()))
    called = {
        run.where: name for name, group in zip(names, groups.values(), strict=True) for run in group
    }
    return [_result(run, called[run.where]) for run in found]


def _found(name: str, folder: Path) -> _Found:
    for file in RUN:
        if not (folder / file).is_file():
            raise UserError(f"{folder}: not a finished run: {file} is missing.")
    config, metrics = read_tables(folder), read_metrics(folder)
    try:
        identity = json.dumps(identity_of(config, metrics), sort_keys=True, default=str)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, repr(error)) from error
    return _Found(str(folder), folder, name, config, metrics, identity)


def _result(run: _Found, system: str) -> Result:
    metrics = run.metrics
    scores = scores_of(metrics)
    try:
        result = Result(
            key=f"run {run.folder.resolve()}",
            system=system,
            preset="",
            data=_data_name(run.config),
            seed=run.config["train"]["seed"],
            settings={},
            config=without_places(run.config),
            splits=metrics["data"],
            versions=metrics["versions"],
            scores=scores,
            counts=_counts(run.folder, list(scores)),
            curve=curve_of(run.folder),
            best_epoch=metrics["best_epoch"],
            seconds=seconds_of(run.folder),
            parameters=metrics["parameters"],
            threads=0,
            finished=_finished(run.folder),
            contents=metrics.get("contents", {}),
            pictures=metrics.get("pictures"),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise _damaged(run.folder, repr(error)) from error
    if wrong := line_fault(asdict(result)):
        raise _damaged(run.folder, wrong)
    return result


def _counts(folder: Path, splits: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """Runs of before predictions were kept have none: they stand in a table, and are not tested."""
    kept = [split for split in splits if (folder / "predictions" / f"{split}.jsonl").is_file()]
    return {split: counts_of(folder, split) for split in kept}


def _data_name(config: dict[str, Any]) -> str:
    path = str(config["data"]["path"])
    return Path(path).name or path


def _finished(folder: Path) -> str:
    seconds = (folder / "metrics.json").stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _damaged(folder: Path, reason: str) -> UserError:
    return UserError(f"{folder}: damaged ({reason}); train the run again.")
