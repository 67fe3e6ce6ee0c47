"""How many single faults in the code the tests notice: mutants of the decoders, the weightings and
the plugins umt and mlmner, each against its module's tests.

Places are drawn by a seed, and of each one change (`mutations.py`). What is slow to import is
imported once; a child for each mutant then loads the changed source in place of the module, so that
no file is written, and runs the tests up to the first that fails. A mutant is killed when one
fails, the interpreter ends, or time is up: an endless loop. Figures: MUTANTS.md.

    python examples/benchmarks/mutants.py [--seed 2026] [--count 160] --results FILE.jsonl [--again]

FILE has a line for each mutant tried; begun anew, the command goes on where it ended. `--again`
tries those that survived once more, after tests were added.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.machinery import SourceFileLoader
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

import pytest
import torch
from mutations import Mutation, mutated, mutations

ROOT = Path(__file__).parents[2]
CRF = ("tests/test_decoders.py", "tests/test_k_best.py", "tests/test_crf_fast.py")
UMT = tuple(f"plugins/umt/tests/test_{n}.py" for n in ("transformer", "cross_transformer"))
CLUSTER = tuple(f"plugins/mlmner/tests/test_{name}.py" for name in ("distances", "cluster"))
TESTS = {
    "mmseq/builtins/decoders.py": CRF,
    "mmseq/builtins/crf.py": CRF,
    "mmseq/builtins/crf_fast.py": CRF,
    "mmseq/builtins/viterbi.py": CRF,
    "mmseq/builtins/span_scores.py": CRF,
    "mmseq/builtins/weighting.py": ("tests/test_weighting.py",),
    "mmseq/builtins/gradnorm.py": ("tests/test_gradnorm.py",),
    "mmseq/builtins/uncertainty.py": ("tests/test_uncertainty.py",),
    "plugins/umt/mmseq_umt/cross_transformer.py": UMT,
    "plugins/umt/mmseq_umt/transformer.py": UMT,
    "plugins/umt/mmseq_umt/boundary.py": ("plugins/umt/tests/test_boundary.py",),
    "plugins/mlmner/mmseq_mlmner/contrastive.py": ("plugins/mlmner/tests/test_contrastive.py",),
    "plugins/mlmner/mmseq_mlmner/cluster.py": CLUSTER,
    "plugins/mlmner/mmseq_mlmner/distances.py": CLUSTER,
}
"""Module -> its tests. Their order here is that of the draw."""
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--assert=plain")
PATIENCE = 5.0
"""A mutant may take so many times as long as the module itself, and then `LEAST` seconds"""
LEAST = 20.0


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
        """The same as long as the module's source is."""
        checksum = hashlib.sha256(self.source.encode()).hexdigest()[:12]
        return f"{self.path}:{self.number}:{checksum}"


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


class Changed(SourceFileLoader):
    """Loads a module from its file, with a mutant's change."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        super().__init__(name, str(ROOT / mutant.path))
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return compile(mutated(self.mutant.source, self.mutant.number), self.path, "exec")


class Stead:
    """Finds the mutant where the module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        parts = Path(mutant.path).with_suffix("").parts
        self.name = ".".join(parts[2:] if parts[0] == "plugins" else parts)
        self.mutant = mutant
        self.used = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name != self.name:
            return None
        self.used = True
        loader = Changed(name, self.mutant)
        return importlib.util.spec_from_file_location(name, loader.path, loader=loader)


class Watch:
    """Keeps the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_tests(answer: Connection, mutant: Mutant | None, tests: tuple[str, ...]) -> None:
    """In a child: the tests, of the mutant or of the module as it is."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    stead = Stead(mutant) if mutant else None
    if stead:
        sys.meta_path.insert(0, stead)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        code = pytest.main([*OPTIONS, f"--basetemp={folder}/tests", *tests], plugins=[watch])
    if stead and not stead.used:
        code = -1
    answer.send({"code": int(code), "by": watch.failed, "modules": list(sys.modules)})


def tried(mutant: Mutant | None, tests: tuple[str, ...], limit: float) -> dict[str, Any]:
    """What a child says of it, with the seconds it took; without an answer the code is None."""
    fork = multiprocessing.get_context("fork")
    mine, its = fork.Pipe()
    child = fork.Process(target=run_tests, args=(its, mutant, tests))
    started = time.perf_counter()
    child.start()
    its.close()
    found: dict[str, Any] = {"code": None, "by": "no end"}
    if mine.poll(limit):
        with contextlib.suppress(EOFError):
            found["by"] = "the interpreter ended"
            found = mine.recv()
    child.kill()
    child.join()
    return {**found, "seconds": time.perf_counter() - started}


def usual_seconds(tests: tuple[str, ...]) -> float:
    """How long the tests take where nothing is changed; imports here what they import of others."""
    for _ in range(2):
        clean = tried(None, tests, 1800.0)
        if clean["code"] != 0:
            raise SystemExit(f"The tests fail without any change: {clean['by']}, {tests}")
        own = ("mmseq", "tests", "plugins", "conftest", "test_", "__m", "_pytest")
        for name in clean["modules"]:
            if not name.startswith(own) and name not in sys.modules:
                # Some names are made up by the package that holds them.
                with contextlib.suppress(ImportError, AttributeError):
                    importlib.import_module(name)
        # What the children need not look through again and again.
        gc.freeze()
    return float(clean["seconds"])


def main() -> None:
    """Try what is not yet in the file of results, and print what survived."""
    parser = argparse.ArgumentParser(description="Mutants of the code against its tests.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--results", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(ROOT)
    done: dict[str, dict[str, Any]] = {}
    if options.results.exists():
        lines = options.results.read_text(encoding="utf-8").splitlines()
        done = {line["key"]: line for line in map(json.loads, lines)}
    mutants = drawn(options.seed, options.count)
    limits: dict[tuple[str, ...], float] = {}
    with options.results.open("a", encoding="utf-8") as file:
        for mutant in mutants:
            before = done.get(mutant.key)
            if before and not (options.again and before["survived"]):
                continue
            tests = TESTS[mutant.path]
            if tests not in limits:
                limits[tests] = PATIENCE * usual_seconds(tests) + LEAST
            found = tried(mutant, tests, limits[tests])
            if found["code"] == -1:
                raise SystemExit(f"Its tests never import {mutant.path}")
            line = {
                "key": mutant.key,
                "path": mutant.path,
                **asdict(mutant.mutation),
                "survived": found["code"] == 0,
                "by": found["by"],
                "seconds": round(found["seconds"], 2),
            }
            done[mutant.key] = line
            file.write(json.dumps(line) + "\n")
            file.flush()
            print("survived" if line["survived"] else "killed", mutant.path, mutant.mutation)
    survivors = [mutant for mutant in mutants if done[mutant.key]["survived"]]
    by_operator = Counter(mutant.mutation.operator for mutant in mutants)
    print(f"\nseed {options.seed}: {len(mutants)} drawn, {len(mutants) - len(survivors)} killed")
    print(f"{sum(done[mutant.key]['seconds'] for mutant in mutants) / 60:.1f} minutes")
    print("operators:", ", ".join(f"{name} {n}" for name, n in by_operator.most_common()))
    for mutant in survivors:
        print(f"survived: {mutant.path}:{mutant.mutation}")


if __name__ == "__main__":
    main()
