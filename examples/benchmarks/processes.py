"""Training in one process and in two (gloo): sentences per second, and what is sent at a step.

The same model and the same joined batch: one process with one thread, one with two, two with one
each. Rounds alternate; each layout is started anew in each, and its first steps do not count. Two
processes also time the collectives of a step alone, over tensors of their true sizes.

    python examples/benchmarks/processes.py [DATA] [--steps 10] [--rounds 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from interleaved import tell
from torch import Tensor, distributed

import mmseq
from mmseq.console import Reporter
from mmseq.processes import all_sum, gather, process_count, process_index, sum_gradients
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run

LAYOUTS = {"1 x 1": (1, 1), "1 x 2": (1, 2), "2 x 1": (2, 1)}
"""Processes, threads of each"""
WARM = 3
"""Steps that do not count"""
REPEATS = 10
"""Of a collective"""


def worker(folder: Path, data: str, batch: int, steps: int) -> None:
    """One process of a layout; the first one writes what it found to `folder`."""
    settings = {"data.path": data, "train.device": "cpu"}
    config = mmseq.Config.from_layers(
        flags={
            "fusion": {"name": "cross-transformer"},
            "image_encoder": {"name": "timm", "train": "frozen"},
        },
        aux=["contrastive", "boundary"],
        settings={**settings, "train.batch_size": batch // int(os.environ["WORLD_SIZE"])},
    )
    trainer = Trainer(new_run(config, folder / "run", Reporter(quiet=True)))
    trainer._begin()
    trainer.model.train()
    seconds: dict[str, list[float]] = {"batches": [], "steps": []}
    for group in trainer.batches.order(0)[: WARM + steps]:
        started = time.perf_counter()
        trainer.batches.batch(group[0])
        seconds["batches"].append(time.perf_counter() - started)
        started = time.perf_counter()
        trainer._train_step([trainer.batches.batch(i) for i in group])
        seconds["steps"].append(time.perf_counter() - started)
    found: dict[str, Any] = {name: times[WARM:] for name, times in seconds.items()}
    if process_count() > 1:
        found["collectives"] = collectives(trainer, batch)
    if not process_index():
        (folder / "found.json").write_text(json.dumps(found))


def collectives(trainer: Trainer, batch: int) -> list[dict[str, Any]]:
    """A row for each kind of message of a step: bytes of a process, and milliseconds."""
    trained = [p for p in trainer.model.parameters() if p.requires_grad]
    flat = torch.ones(sum(p.numel() for p in trained))
    width = 2 * trainer.model.fusion.views["text"]
    pairs = torch.randn(batch // process_count(), width, requires_grad=True)
    counts = torch.zeros(5, dtype=torch.long)

    rows: list[dict[str, Any]] = []

    def timed(work: Callable[[], object]) -> float:
        distributed.barrier()
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    def add(what: str, tensor: Tensor, times: list[float]) -> None:
        size = tensor.numel() * tensor.element_size()
        rows.append({"message": what, "bytes": size, "ms": 1e3 * statistics.median(times)})

    whole = []
    for _ in range(REPEATS):
        for parameter in trained:
            parameter.grad = torch.ones_like(parameter)
        whole.append(timed(lambda: sum_gradients(trainer.model)))
    add("gradients, with copying", flat, whole)
    alone = [timed(lambda: distributed.all_reduce(flat)) for _ in range(REPEATS)]
    add("gradients, all-reduce alone", flat, alone)
    both = [
        timed(lambda: torch.autograd.grad(gather(pairs)[0].sum(), pairs)) for _ in range(REPEATS)
    ]
    add("contrastive vectors, there and back", pairs, both)
    few = [timed(lambda: all_sum(counts)) for _ in range(REPEATS)]
    add("counts of items", counts, few)
    return rows


def made(rounds: list[dict[str, Any]], sentences: float) -> float:
    """Milliseconds to put a sentence and its pictures into a batch."""
    times: list[float] = [seconds for one in rounds for seconds in one["batches"]]
    return 1e3 * statistics.median(times) / sentences


def launched(layout: str, options: argparse.Namespace) -> dict[str, Any]:
    """What the first process of a layout found."""
    processes, threads = LAYOUTS[layout]
    with tempfile.TemporaryDirectory() as folder:
        arguments = [options.data, f"--steps={options.steps}", f"--batch={options.batch}"]
        subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *(f"--nproc-per-node={processes}", __file__, *arguments, f"--worker={folder}"),
            ],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        found: dict[str, Any] = json.loads((Path(folder) / "found.json").read_text())
    return found


def main() -> None:
    """Print two tables; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="sample")
    parser.add_argument("--steps", type=int, default=10, help="that count, in each round [10]")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32, help="sentences of all processes [32]")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.data, options.batch, options.steps)
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LAYOUTS}
    for _ in range(options.rounds):
        for name in LAYOUTS:
            found[name].append(launched(name, options))
    rates = {
        name: [options.batch / statistics.mean(one["steps"]) for one in rounds]
        for name, rounds in found.items()
    }
    base = statistics.median(rates["1 x 1"])
    rows = [
        {
            "processes x threads": name,
            "sentences a second": statistics.median(each),
            "least": min(each),
            "greatest": max(each),
            "times 1 x 1": statistics.median(each) / base,
            "batch, ms a sentence": made(found[name], options.batch / LAYOUTS[name][0]),
        }
        for name, each in rates.items()
    ]
    messages = found["2 x 1"][-1]["collectives"]
    tell(rows, f"Training, {options.batch} sentences a step, {options.data}", None)
    tell(messages, "Messages of a step between two processes", None)
    if options.json:
        report = {"training": rows, "messages": messages, "options": vars(options)}
        del report["options"]["worker"]
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
