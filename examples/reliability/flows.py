"""Work that is broken off and taken up again: commands, how to go on, and what must come out."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forking import Ended, forked
from trial import renew

TIMES = frozenset(
    ["seconds", "finished", "sentences_per_second", "pictures_new", "pictures_reused", "threads"]
)
"""Keys of records whose values no two runs share"""
TIMED_COLUMNS = re.compile("second|minute|time|duration|finished")


DONE = ("that run is finished", "tagged.jsonl: exists")
UNBEGUN = ("holds no run to resume", "start again in another folder", "leave out --resume")
"""Of messages: there is nothing to take up any more, or not yet"""


@dataclass(frozen=True)
class Flow:
    """A command whose work can be broken off."""

    name: str
    first: str
    again: str
    """What goes on with it; where that finds nothing begun, it is begun anew"""
    results: Sequence[str]
    """Patterns of the files that must be the same, broken off or not"""
    takes: Sequence[str]
    written: Sequence[str]
    """What it writes, as folders and files"""
    watched: Sequence[str] = ()
    """Where operations are counted; empty: in all that it writes"""

    def clean(self, world: Path, folder: Path) -> None:
        """Nothing done yet."""
        for name in (*self.takes, *self.written):
            renew(world, folder, name)
            if name in self.written and name not in self.takes:
                path = folder / name
                shutil.rmtree(path, ignore_errors=True)
                if path.is_file():
                    path.unlink()

    def places(self, folder: Path) -> list[Path]:
        """Where operations are counted. A draft lies beside what it becomes."""
        return [folder / name for name in self.watched] if self.watched else [folder]

    def taken_up(self, folder: Path) -> Ended:
        """Go on, as the documentation says it."""
        ended = forked(self.again.split())
        if ended.code == 2 and any(words in ended.err for words in DONE):
            # The kill came after the last of the work.
            return Ended(0)
        if (
            ended.code == 2
            and self.again != self.first
            and any(words in ended.err for words in UNBEGUN)
        ):
            for name in self.written:
                path = folder / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            ended = forked(self.first.split())
        return ended

    def outcome(self, folder: Path) -> dict[str, str]:
        """Every result and its checksum, times left out."""
        found = {}
        for pattern in self.results:
            for path in sorted(folder.glob(pattern)):
                content = timeless(path)
                found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
        return found


def timeless(path: Path) -> bytes:
    """A file's content without what tells times."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(content))).encode()
    if path.suffix == ".jsonl":
        rows = [json.dumps(_without_times(json.loads(line))) for line in content.splitlines()]
        return "\n".join(rows).encode()
    if path.name == "trials.csv":
        head, *rows = [line.split(",") for line in content.decode().splitlines()]
        kept = [i for i, name in enumerate(head) if not TIMED_COLUMNS.search(name)]
        return "\n".join(",".join(row[i] for i in kept) for row in (head, *rows)).encode()
    return content


def _without_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_times(v) for k, v in sorted(value.items()) if k not in TIMES}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


DATA = ("config.toml", "bert", "data")
STORES = ("features", "cache")
RUN_RESULTS = (
    "model.safetensors",
    "metrics.json",
    "labels.json",
    "history.jsonl",
    "config.toml",
    "predictions/*",
    "assets/**/*.json",
)
TRAIN = Flow(
    "train",
    "train --quiet --config config.toml --output out",
    "train --quiet --resume --output out",
    tuple(f"out/{name}" for name in RUN_RESULTS),
    DATA,
    ("out", *STORES),
)
STORED = Flow(
    "stores",
    "train --quiet --config config.toml --set train.epochs=1 --output out",
    "train --quiet --resume --output out",
    TRAIN.results,
    DATA,
    TRAIN.written,
    STORES,
)
PREDICT = Flow(
    "predict",
    "predict run --input many.jsonl --images data/images --output tagged.jsonl",
    "predict run --input many.jsonl --images data/images --output tagged.jsonl --resume",
    ("tagged.jsonl",),
    ("run", "data", "many.jsonl"),
    ("tagged.jsonl", "tagged.jsonl.part", "tagged.jsonl.part.json"),
)
BENCH = Flow(
    "bench",
    "bench plan.toml --quiet --output out",
    "bench plan.toml --quiet --output out",
    ("out/results.jsonl", "out/runs/*/model.safetensors"),
    (*DATA, "plan.toml"),
    ("out", *STORES),
)
TUNE = Flow(
    "tune",
    "tune space.toml data --quiet --config config.toml --output out",
    "tune space.toml data --quiet --config config.toml --output out",
    ("out/best.toml", "out/trials.csv"),
    (*DATA, "space.toml"),
    ("out", *STORES),
)


@dataclass(frozen=True)
class Unbroken:
    """What comes out of a flow that nothing disturbs, and what it takes."""

    outcome: dict[str, str]
    operations: int
    seconds: float


def unbroken(flow: Flow, world: Path, folder: Path) -> Unbroken:
    """Carry a flow out in peace. `RuntimeError` where that fails."""
    flow.clean(world, folder)
    started = time.monotonic()
    ended = forked(flow.first.split(), watched=flow.places(folder))
    seconds = time.monotonic() - started
    if ended.code != 0:
        raise RuntimeError(f"{flow.first}: {ended}")
    return Unbroken(flow.outcome(folder), ended.operations, seconds)
