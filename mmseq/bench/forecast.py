"""What a plan would take, from a few timed steps of each of its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from typing import Any

from rich.table import Table

from mmseq.bench.bench import Keep
from mmseq.bench.experiment import Experiment
from mmseq.errors import counted
from mmseq.jobs.local import how_ended, start_worker

MANY = 5
"""Seeds one after the other from which they are told as a range"""


def estimate(experiment: Experiment, threads: int) -> dict[str, Any] | str:
    """An `mmseq.jobs.probe.Estimate` as a dict, or what stopped it; measured in a process of its
    own, so that its memory is its own.
    """
    job = {
        "config": experiment.config.tables(),
        "folder": "",
        "threads": threads,
        "probe": True,
    }
    # A file, since a pipe that nobody empties stops a process that prints much.
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        with start_worker(threads, log, own_session=False) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                process.wait()
        if not line:
            log.seek(0)
            return log.read().strip().rpartition("\n")[2] or how_ended(process.returncode)
    found: dict[str, Any] = json.loads(line)
    return str(found["error"]) if "error" in found else found


def forecast(
    experiments: Sequence[Experiment],
    done: int,
    *,
    jobs: int,
    threads: int,
    keep: Keep,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Table, list[str], list[str]]:
    """A table of the rows to run, lines on the whole, and a line on each row that cannot run.
    `tell` gets a line before each row: timing one takes up to minutes.
    """
    rows: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in experiments:
        rows.setdefault((experiment.row, experiment.data.name), []).append(experiment)
    table = Table("system", "data", "seeds", title="To run", title_justify="left")
    for heading in ("steps", "min a run", "MB a run", "MB memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    seconds = disk = 0.0
    peaks: list[float] = []
    memory: list[int] = []
    problems = []
    left_out = 0
    for number, ((row, data), group) in enumerate(rows.items(), 1):
        tell(f"Timing a few steps of {row}, {data} ({number} of {len(rows)}) …")
        seeds = _told([e.seed for e in group])
        found = estimate(group[0], threads)
        if isinstance(found, str):
            problems.append(f"{row}, {data}: cannot run: {found}")
            left_out += len(group)
            table.add_row(row, data, seeds, str(group[0].steps), "?", "?", "?")
            continue
        seconds += found["seconds"] * len(group)
        kept = {"none": 0, "best": 1, "all": len(group)}[keep]
        disk += found["disk"] * kept
        peaks.append(found["peak_disk"])
        memory.append(found["memory"])
        table.add_row(
            row,
            data,
            seeds,
            str(group[0].steps),
            f"{found['seconds'] / 60:.1f}",
            f"{found['disk'] / 1e6:.0f}",
            f"{found['memory'] / 1e6:.0f}",
        )
    at_once = min(jobs, len(experiments))
    without = f" of those that can run ({left_out} cannot)" if left_out else ""
    peak = disk + sum(sorted(peaks)[-at_once:]) * (at_once / max(1, len(peaks[-at_once:])))
    lines = [
        f"{counted(len(experiments), 'run')} to do, {done} done already.",
        f"Estimated{without}: {seconds / 60 / max(1, at_once):.0f} min with {at_once} at a time "
        f"({threads} threads each); disk {peak / 1e6:.0f} MB while it runs, {disk / 1e6:.0f} MB "
        f"after; memory {at_once * max(memory, default=0) / 1e6:.0f} MB. Timed steps are few: "
        "expect a third more or less, and up to as much again where the machine is shared.",
    ]
    return table, lines if experiments else lines[:1], problems


def _told(seeds: list[int]) -> str:
    """``1, 2, 3``; many one after the other as ``1-50``."""
    starts = [i for i, seed in enumerate(seeds) if not i or seed != seeds[i - 1] + 1]
    runs = [seeds[i:j] for i, j in zip(starts, [*starts[1:], len(seeds)], strict=True)]
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > MANY else ", ".join(map(str, run)) for run in runs
    )
