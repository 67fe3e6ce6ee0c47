"""How many single faults in the code the tests notice: mutants of the decoders, the weightings and
the plugins umt and mlmner, each against its module's tests.

Places are drawn by a seed, and of each one change (`mutations.py`). What is slow to import is
imported once; a child for each mutant then loads the changed source in place of the module, so that
no file is written, and runs the tests up to the first that fails. A mutant is killed when one
fails, the interpreter ends, or time is up, as in an endless loop.

    python examples/benchmarks/mutants.py [--seed 2026] [--count 160] --results FILE.jsonl
        [--again] [--jobs 1]

FILE has a line for each mutant tried; started again, the command continues where it ended.
`--again` tries those that survived once more, after tests were added.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import math
import multiprocessing
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import SourceFileLoader
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import torch
from mutations import Mutation, fingerprint, mutated, mutations

ROOT = Path(__file__).parents[2]


def _tests(*names: str, plugin: str = "") -> tuple[str, ...]:
    folder = f"plugins/{plugin}/tests" if plugin else "tests"
    return tuple(f"{folder}/test_{name}.py" for name in names)


TESTS = {
    "mmseq/builtins/decoding/decoders.py": _tests("decoders", "chains", "k_best"),
    "mmseq/builtins/decoding/crf.py": _tests("chains", "decoders", "k_best", "crf_fast"),
    "mmseq/builtins/decoding/crf_fast.py": _tests("chains", "decoders", "crf_fast"),
    "mmseq/builtins/decoding/posterior.py": _tests("chains", "decoders", "crf_fast"),
    "mmseq/builtins/decoding/paths.py": _tests("chains", "allowed_scores", "crf_fast"),
    "mmseq/builtins/decoding/viterbi.py": _tests("viterbi", "decoders", "k_best"),
    "mmseq/builtins/decoding/span_scores.py": _tests("span_scores", "decoders", "chains"),
    "mmseq/builtins/decoding/class_weights.py": _tests("class_weights"),
    "mmseq/builtins/weighting/computed.py": _tests("weighting"),
    "mmseq/builtins/weighting/gradnorm.py": _tests("gradnorm"),
    "mmseq/builtins/weighting/uncertainty.py": _tests("uncertainty"),
    "plugins/umt/mmseq_umt/cross_transformer.py": _tests("cross_transformer", plugin="umt"),
    "plugins/umt/mmseq_umt/transformer.py": _tests("transformer", "boundary", plugin="umt"),
    "plugins/umt/mmseq_umt/boundary.py": _tests("boundary", plugin="umt"),
    "plugins/mlmner/mmseq_mlmner/contrastive.py": _tests("contrastive", plugin="mlmner"),
    "plugins/mlmner/mmseq_mlmner/cluster.py": _tests("cluster", plugin="mlmner"),
    "plugins/mlmner/mmseq_mlmner/distances.py": _tests("distances", "cluster", plugin="mlmner"),
}
"""Module -> its tests, the quick ones first. The modules' order is that of the draw."""
# Marks of plugins that are not loaded, for they would take longer than most tests.
UNKNOWN = "pytest.PytestUnknownMarkWarning"
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-W", f"ignore::{UNKNOWN}")
UNUSED = -1
"""In place of pytest's exit code: the tests never imported the mutant"""
PATIENCE = 3
"""A mutant may take so many times the CPU seconds that all the tests of all modules take"""


@dataclass(frozen=True)
class Mutant:
    """One change to one module."""

    path: str
    number: int
    """Place of the change in `mutations(source)`"""
    mutation: Mutation

    @property
    def source(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @property
    def key(self) -> str:
        """The same as long as the module's code is, wherever it stands."""
        return f"{self.number} {fingerprint(self.source)}"


def drawn(seed: int, count: int) -> list[Mutant]:
    """`count` places, module by module, with one change each."""
    places: dict[tuple[str, int, int, str], list[Mutant]] = {}
    for path in TESTS:
        for number, change in enumerate(mutations((ROOT / path).read_text(encoding="utf-8"))):
            place = (path, change.line, change.column, change.operator)
            places.setdefault(place, []).append(Mutant(path, number, change))
    draw = random.Random(seed)
    chosen = [draw.choice(places[place]) for place in draw.sample(list(places), count)]
    order = list(TESTS)
    return sorted(chosen, key=lambda mutant: (order.index(mutant.path), mutant.number))


class Stead(SourceFileLoader):
    """Finds and loads the mutant where its module is asked for."""

    used = False

    def __init__(self, mutant: Mutant) -> None:
        parts = Path(mutant.path).with_suffix("").parts
        name = ".".join(parts[2:] if parts[0] == "plugins" else parts)
        super().__init__(name, str(ROOT / mutant.path))
        self.mutant = mutant

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name != self.name:
            return None
        self.used = True
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(mutated(self.mutant.source, self.mutant.number), self.path, "exec")


class Watch:
    """Keeps the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_tests(answer: Connection, mutant: Mutant | None, tests: list[str], limit: int) -> None:
    """In a child: the tests, of the mutant or of the modules as they are."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    # Seconds of this process's own, however busy the machine is: then the system ends it.
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    stead = Stead(mutant) if mutant else None
    if stead:
        sys.meta_path.insert(0, stead)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        code = pytest.main([*OPTIONS, f"--basetemp={folder}/tests", *tests], plugins=[watch])
    if stead and not stead.used:
        code = UNUSED
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime, 2)
    modules = [] if mutant else list(sys.modules)
    answer.send({"code": int(code), "by": watch.failed, "modules": modules, "cpu_seconds": seconds})


def begun(mutant: Mutant | None, tests: Sequence[str], limit: int) -> Connection:
    """A child that tries it: where its answer will come from."""
    fork = multiprocessing.get_context("fork")
    mine, its = fork.Pipe()
    fork.Process(target=run_tests, args=(its, mutant, list(tests), limit)).start()
    its.close()
    return mine


def answer_of(child: Connection) -> dict[str, Any]:
    """What it says; without an answer the code is None."""
    with contextlib.suppress(EOFError):
        return dict(child.recv())
    return {"code": None, "by": "the interpreter ended, or time was up", "cpu_seconds": 0.0}


def tried(mutants: Sequence[Mutant], limit: int, jobs: int) -> Iterator[tuple[Mutant, Any]]:
    """Each with its answer, as they come; so many children at a time."""
    waiting, running = list(reversed(mutants)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[begun(mutant, TESTS[mutant.path], limit)] = mutant
        for child in wait(list(running)):
            mutant, found = running.pop(child), answer_of(child)
            if found["code"] == UNUSED:
                raise SystemExit(f"Its tests never import {mutant.path}")
            yield mutant, found


def usual_seconds() -> float:
    """How long all the tests take where nothing is changed; imports here what they import."""
    every = sorted({test for tests in TESTS.values() for test in tests})
    clean = answer_of(begun(None, every, 3600))
    if clean["code"] != 0:
        raise SystemExit(f"Without any change a test fails: {clean['by']}")
    own = ("mmseq", "tests", "plugins", "conftest", "test_", "__m", "_pytest")
    for name in clean["modules"]:
        if not name.startswith(own) and name not in sys.modules:
            # Some names are made up by the package that holds them.
            with contextlib.suppress(ImportError, AttributeError):
                importlib.import_module(name)
    # What the children need not look through again and again.
    gc.freeze()
    return float(clean["cpu_seconds"])


def main() -> None:
    """Try what is not yet in the file of results, and print what survived."""
    parser = argparse.ArgumentParser(description="Mutants of the code against its tests.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--results", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    os.chdir(ROOT)
    done: dict[str, dict[str, Any]] = {}
    if options.results.exists():
        lines = options.results.read_text(encoding="utf-8").splitlines()
        done = {line["key"]: line for line in map(json.loads, lines)}
    mutants = drawn(options.seed, options.count)
    kept = {key for key, line in done.items() if not (options.again and line["survived"])}
    left = [mutant for mutant in mutants if mutant.key not in kept]
    limit = PATIENCE * math.ceil(usual_seconds()) if left else 0
    with options.results.open("a", encoding="utf-8") as file:
        for mutant, found in tried(left, limit, options.jobs):
            line = {"key": mutant.key, "path": mutant.path, **asdict(mutant.mutation)}
            line |= {"survived": found["code"] == 0, "by": found["by"]}
            line["cpu_seconds"] = found["cpu_seconds"]
            done[mutant.key] = line
            file.write(json.dumps(line) + "\n")
            file.flush()
            print("survived" if line["survived"] else "killed", mutant.path, mutant.mutation)
    survivors = [mutant for mutant in mutants if done[mutant.key]["survived"]]
    by_operator = Counter(mutant.mutation.operator for mutant in mutants)
    print(f"\nseed {options.seed}: {len(mutants)} drawn, {len(mutants) - len(survivors)} killed")
    seconds = sum(done[mutant.key]["cpu_seconds"] for mutant in mutants)
    print(f"{seconds / 60:.1f} CPU minutes")
    print("operators:", ", ".join(f"{name} {n}" for name, n in by_operator.most_common()))
    for mutant in survivors:
        print(f"survived: {mutant.path}:{mutant.mutation}")


if __name__ == "__main__":
    main()
