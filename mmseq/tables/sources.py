"""What `mmseq table` is given: files of results, folders of benches, run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmseq.bench.results import Reading, Result, read
from mmseq.comparison.sources import named
from mmseq.errors import UserError
from mmseq.tables.layout import Layout, layout_of
from mmseq.tables.remembered import joined, remembered
from mmseq.tables.run_folders import is_run, results_of, runs_below
from mmseq.tables.table import published_of

RESULTS = "results.jsonl"


def read_sources(sources: Sequence[str]) -> tuple[Reading, Layout]:
    """Results in the order of the sources, each once, and the rows that they have: as their bench
    had them, with its title and baseline, then a row for every other system.

    A source is a file of results, a folder that holds a ``results.jsonl``, a run folder
    (``FOLDER`` or ``NAME=FOLDER``) or a folder of run folders. `UserError` for any other.
    """
    files: list[Path] = []
    runs: list[tuple[str, Path]] = []
    notes: list[str] = []
    for source in sources:
        name, path = named(source)
        if path.is_dir() and not (path / RESULTS).is_file():
            if is_run(path):
                runs.append((name, path))
                continue
            below, said = runs_below(path)
            if not below:
                raise UserError(f"{path}: holds no {RESULTS} and no finished run.")
            runs += [(name, run) for run in below]
            notes += said
        elif name:
            raise UserError(f"{source}: results name their systems; leave '{name}=' out.")
        else:
            files.append(path)
    reading = read(files)
    found: dict[str, Result] = {result.key: result for result in reading.results}
    for result in results_of(_each_once(runs)):
        found.setdefault(result.key, result)
    results = list(found.values())
    layout = joined([layout for file in files if (layout := remembered(file))], layout_of(results))
    try:
        published_of(layout)
    except UserError as error:
        # Nobody asked for them here: the file may have been moved, the plugin be absent.
        notes.append(f"Published figures left out: {error}")
        layout = replace(layout, published="", published_data="")
    return Reading(results, [*reading.notes, *notes]), layout


def _each_once(runs: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    first = {path.resolve(): (name, path) for name, path in reversed(runs)}
    return list(reversed(first.values()))
