"""How time and memory grow: with sentences, their length, tags, pictures a sentence, and tasks.

Of every size: seconds of a training step of the multimodal model with all its tasks on generated
sentences (of the number of sentences: seconds to read, check and prepare them), all sizes in turns,
so that a machine's moods meet all; and the memory that the work takes beyond what is there before
it, in a process of its own (the peak that Linux counts, set back before the work, with an allocator
that gives all large blocks back). The exponent is the slope of the least-squares line through the
logarithms of the upper three sizes, in every round, since what does not grow hides it in small
ones: 1 is linear. Then what each auxiliary task costs, as a share of the step with it.

    python examples/benchmarks/growth.py [--axes NAME,…] [--rounds 3] [--json FILE] [--plot FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from growing import AXES, MULTIMODAL, Axis, Shape, training_step, work_of
from growth_plot import draw_growth
from interleaved import interleave, tell

from mmseq.errors import UserError
from mmseq.registry.plugins import registry

UPPER = 3
"""Sizes that the exponent is taken of"""
MODELS: dict[str, dict[str, object]] = {
    "cross-transformer": MULTIMODAL,
    # For tasks that read states which only a recurrent encoder has.
    "bilstm, gate": {"text_encoder.name": "bilstm", "fusion.name": "gate"},
}
SAMPLE = Shape(sentences=16, words=(5, 30), batch=16)
TASK_ROUNDS = 9


def resident(field: str) -> int:
    """Bytes of this process, ``VmRSS`` now or ``VmHWM`` at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise SystemExit(f"/proc/self/status has no {field}.")


def memory_of(work: Callable[[], object]) -> tuple[float, float]:
    """MB that the work takes at most beyond what is there before it, and all in all."""
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    kept = work()
    peak = resident("VmHWM")
    del kept
    return (peak - before) / 1e6, peak / 1e6


def memory_point(axis: Axis, size: int) -> list[tuple[float, float]]:
    """`memory_of`, twice, of one size; called in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(axis, size, Path(folder) / "point")
        # What comes once, such as the optimiser's moments, is there before the measured steps.
        return [memory_of(work) for _ in range(3 if axis.of_step else 1)][-2:]


def memories(axis: Axis) -> dict[int, list[tuple[float, float]]]:
    """`memory_point` of every size."""
    # Without it freed blocks below 32 MB stay with the process, and hide what comes next.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "OMP_NUM_THREADS": "1"}
    found = {}
    for size in axis.sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--point", axis.name, str(size)],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        found[size] = json.loads(done.stdout)
    return found


def seconds(axis: Axis, rounds: int) -> dict[int, list[float]]:
    """Seconds of every size in every round."""
    with tempfile.TemporaryDirectory() as folder:
        ways = {str(n): work_of(axis, n, Path(folder) / str(n)) for n in axis.sizes}
        return {int(n): found for n, found in interleave(ways, rounds).items()}


def exponents(measured: dict[int, list[float]]) -> list[float]:
    """The exponent of each round."""
    sizes = sorted(measured)[-UPPER:]
    logs = [math.log(size) for size in sizes]
    return [
        statistics.linear_regression(logs, [math.log(v) for v in values]).slope
        for values in zip(*(measured[size] for size in sizes), strict=True)
    ]


def spread(values: Sequence[float], unit: str, factor: float = 1.0) -> dict[str, float]:
    """Median, least and greatest, as columns."""
    values = [factor * value for value in values]
    return {unit: statistics.median(values), "least": min(values), "greatest": max(values)}


def grown(axis: Axis, rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of an axis: one a size; and one for the exponent of time, one for that of memory."""
    times, memory = seconds(axis, rounds), memories(axis)
    points = [
        {
            "grows": axis.name,
            "size": size,
            **spread(times[size], "ms", 1e3),
            "memory, MB": statistics.median(beyond for beyond, _ in memory[size]),
            "process, MB": max(peak for _, peak in memory[size]),
        }
        for size in axis.sizes
    ]
    beyond = {size: [value for value, _ in found] for size, found in memory.items()}
    upper = " ".join(map(str, axis.sizes[-UPPER:]))
    slopes = [
        {
            "grows": axis.name,
            "what": what,
            "of sizes": upper,
            **spread(exponents(measured), "exponent"),
        }
        for what, measured in (("time", times), ("memory", beyond))
    ]
    return points, slopes


def task_costs() -> Iterator[dict[str, Any]]:
    """A row for each registered task that fits one of the models, by the first that it fits."""
    waiting = list(registry().names("aux_task"))
    for model, settings in MODELS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = SAMPLE.make(folder / "data")
            ways = {}
            for task in ["none", *waiting]:
                chosen = [] if task == "none" else [task]
                try:
                    ways[task] = training_step(data, folder / task, SAMPLE.batch, settings, chosen)
                # It reads what this model does not give.
                except UserError as error:
                    if task == "none" or model == list(MODELS)[-1]:
                        print(f"{task}: {error}", file=sys.stderr)
            waiting = [task for task in waiting if task not in ways]
            found = interleave(ways, TASK_ROUNDS)
        without = found.pop("none")
        for task, values in found.items():
            shares = [1 - a / b for a, b in zip(without, values, strict=True)]
            yield {
                "task": task,
                "model": model,
                "step without, ms": 1e3 * statistics.median(without),
                "step with, ms": 1e3 * statistics.median(values),
                **spread(shares, "share of the step, %", 100),
            }


def main() -> None:
    """Print tables; write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", metavar="NAME,…", default=",".join([*AXES, "tasks"]))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE", help=".png or .svg; needs matplotlib")
    parser.add_argument("--point", nargs=2, metavar=("AXIS", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.point:
        name, size = options.point
        print(json.dumps(memory_point(AXES[name], int(size))))
        return
    chosen = options.axes.split(",")
    if unknown := set(chosen) - {*AXES, "tasks"}:
        parser.error(f"--axes {', '.join(unknown)}: choose among {', '.join(AXES)}, tasks.")
    points, slopes, tasks = [], [], []
    with tempfile.TemporaryDirectory() as cache:
        # Features of generated pictures are of no use to anybody later.
        os.environ["MMSEQ_CACHE"] = cache
        for name in AXES:
            if name in chosen:
                more_points, more_slopes = grown(AXES[name], options.rounds)
                points += more_points
                slopes += more_slopes
                tell(more_points, f"With the number of {name}, one thread", None)
        if "tasks" in chosen:
            tasks = list(task_costs())
            tell(tasks, "Auxiliary tasks: share of a training step, one thread", None)
    if slopes:
        tell(slopes, "Exponents", None)
    if options.json:
        found = {"points": points, "exponents": slopes, "tasks": tasks}
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    if options.plot and points:
        draw_growth(points, slopes, Path(options.plot))


if __name__ == "__main__":
    main()
