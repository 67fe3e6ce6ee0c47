"""What is given to be compared: run folders and files of results, read as runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmseq.bench import results
from mmseq.errors import UserError, unknown
from mmseq.files import at_home
from mmseq.runs.facts import read_metrics, read_tables
from mmseq.runs.folder import require_folder
from mmseq.runs.identity import recorded, settings, versions
from mmseq.runs.predictions import Predictions, read_predictions
from mmseq.scoring.counts import Counts, sentence_counts


@dataclass(frozen=True)
class Run:
    """One trained model and what it did with each sentence of a split."""

    where: str
    """How messages name it"""
    folder: Path
    """Of the run, or of the results"""
    system: str
    """Name of its system; empty: to be found"""
    seed: int
    identity: dict[str, Any]
    """Dotted settings that are not at their default, checksums of the training data and versions:
    equal in runs of one system"""
    sha256: str
    """Of the split's file"""
    counts: Counts
    predictions: Predictions | None
    """None in a file of results, which has the counts alone"""


def read_runs(
    sources: Sequence[str], split: str, data: str | None = None
) -> tuple[list[Run], list[str]]:
    """Runs of run folders (``FOLDER`` or ``NAME=FOLDER``) and of files of results (or folders that
    hold a ``results.jsonl``), and lines for the user on what was dropped.

    `data` chooses among the data sets of files of results. `UserError` where a source is missing
    or damaged.
    """
    runs: list[Run] = []
    notes: list[str] = []
    found: dict[str, tuple[Path, results.Result]] = {}
    for source in sources:
        name, path = named(source)
        if not path.is_file() and not (path / "results.jsonl").is_file():
            runs.append(_of_folder(path, name, split))
            continue
        if name:
            raise UserError(f"{source}: results name their systems; leave '{name}=' out.")
        reading = results.read([path])
        notes += reading.notes
        for result in reading.results:
            found.setdefault(result.key, (path, result))
    if data is not None and not found:
        raise UserError(f"--data {data}: for files of results, and none is given.")
    chosen, more = _newest(_chosen(list(found.values()), data))
    runs += [_of_result(path, result, split) for path, result in chosen]
    return runs, notes + more


def named(source: str) -> tuple[str, Path]:
    """``NAME=FOLDER``: name and path; a path alone has the empty name."""
    name, equals, path = source.partition("=")
    # A run's own path may have a = in it.
    if equals and name and not Path(source).exists() and len(Path(name).parts) == 1:
        return name, at_home(path)
    return "", Path(source)


def _of_folder(folder: Path, name: str, split: str) -> Run:
    require_folder(folder)
    for file in ("config.toml", "metrics.json"):
        if not (folder / file).is_file():
            raise UserError(f"{folder}: not a finished run: {file} is missing.")
    predictions = read_predictions(folder, split)
    config, metrics = read_tables(folder), read_metrics(folder)
    try:
        return Run(
            where=str(folder),
            folder=folder,
            system=name,
            seed=config["train"]["seed"],
            identity=identity_of(config, metrics),
            sha256=metrics["data"][split]["sha256"],
            counts=sentence_counts(predictions.gold, predictions.tags),
            predictions=predictions,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: damaged ({error!r}); train the run again.") from error


def identity_of(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What `Run.identity` says of a run folder with this config and these metrics. `KeyError` where
    something is missing.
    """
    # A run made before they were written down counts by what the files hold now.
    tables = recorded(config, metrics.get("contents", {}))
    processes = {"processes": metrics.get("processes", 1)}
    return _identity(tables, metrics["data"], metrics["versions"]) | processes


def _chosen(
    found: Sequence[tuple[Path, results.Result]], data: str | None
) -> Iterator[tuple[Path, results.Result]]:
    names = {result.data for _, result in found}
    if data is not None and data not in names:
        raise unknown("data set", data, names)
    if data is None and len(names) > 1:
        raise UserError(f"Results on {', '.join(sorted(names))}; choose one with --data.")
    return ((path, result) for path, result in found if data in (None, result.data))


def _newest(
    found: Iterable[tuple[Path, results.Result]],
) -> tuple[list[tuple[Path, results.Result]], list[str]]:
    """Of each system and seed the run that finished last, and a line on those that are left out:
    a bench runs again what has changed, and keeps what it had.
    """
    last: dict[tuple[str, int], tuple[Path, results.Result]] = {}
    older: list[results.Result] = []
    for path, result in found:
        own = (result.system, result.seed)
        if own in last and last[own][1].finished > result.finished:
            older.append(result)
            continue
        if own in last:
            older.append(last[own][1])
        last[own] = (path, result)
    if not older:
        return list(last.values()), []
    names = ", ".join(f"{result.system} seed {result.seed}" for result in older)
    return list(last.values()), [
        f"Left out, since the same system was run again later with other data, settings or "
        f"versions: {names}."
    ]


def _of_result(path: Path, result: results.Result, split: str) -> Run:
    where = f"{path} ({result.system}, seed {result.seed})"
    if split not in result.counts:
        raise UserError(f"{where}: has no split '{split}'.")
    try:
        return Run(
            where=where,
            folder=path,
            system=result.system,
            seed=result.seed,
            identity=_identity(
                recorded(result.config, result.contents), result.splits, result.versions
            )
            # A bench trains each run in one.
            | {"processes": 1},
            sha256=result.splits[split]["sha256"],
            counts=result.counts_of(split),
            predictions=None,
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"{where}: damaged ({error!r}); remove the line.") from error


def _identity(
    tables: Mapping[str, Any],
    data: Mapping[str, Mapping[str, Any]],
    made_with: Mapping[str, str],
) -> dict[str, Any]:
    checksums = {
        f"{key} of {split}": data[split][key]
        for split in ("train", "valid")
        for key in ("sha256", "images_sha256")
        if split in data
    }
    return settings(tables, seed=False) | checksums | versions(tables, made_with)
