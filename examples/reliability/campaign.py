"""Fuzz every reader and file of mmseq, kill its commands and fill its disk; say what fails.

    python examples/reliability/campaign.py --minutes 2 --seed 1

Prints a table of targets: tried, failed, and how. Failing inputs lie in OUTPUT/failures, each with
the command that tries it again. Exit code 1 if anything failed. POSIX alone, since it forks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Before torch is imported: the models are tiny, and a fork takes no threads along.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import breaking_targets
import folder_targets
import option_targets
import reading_targets
import world
from children import Child, Tally
from trial import Target

TARGETS: tuple[Target, ...] = (
    # First those of which each attempt takes seconds: the others share what they leave over.
    *breaking_targets.TARGETS,
    *reading_targets.TARGETS,
    *folder_targets.TARGETS,
    *option_targets.TARGETS,
)


def main() -> None:
    """Carry out the campaign of the command line."""
    given = _arguments()
    chosen = [target for target in TARGETS if target.name in given.targets]
    folder = given.output or Path(tempfile.mkdtemp(prefix="mmseq-reliability-"))
    folder = folder.absolute()
    whole = folder / "world"
    if whole.exists():
        shutil.rmtree(whole)
    started = time.monotonic()
    _import_all()
    world.make(whole)
    print(f"Made what is attacked in {time.monotonic() - started:.0f} s: {whole}", flush=True)
    tallies = carry_out(chosen, given, folder, whole)
    for line in table(tallies):
        print(line)
    if given.checksums:
        for name, tally in tallies.items():
            print(name, *tally.checksums[: given.checksums])
    failed = sum(sum(tally.kinds.values()) for tally in tallies.values())
    if failed:
        print(f"The inputs that failed, each with its command: {folder / 'failures'}")
    elif given.output is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2, help="of all targets together [2]")
    parser.add_argument("--seed", default="1", help="of all that is drawn [1]")
    parser.add_argument(
        "--targets", type=lambda text: text.split(","), default=names, help=", ".join(names)
    )
    parser.add_argument("--output", type=Path, help="folder of failing inputs [a temporary one]")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time [1]")
    parser.add_argument("--only", type=int, help="the attempt of this number alone")
    parser.add_argument(
        "--checksums", type=int, default=0, help="print those of the first N inputs of each target"
    )
    given = parser.parse_args()
    for name in given.targets:
        if name not in names:
            parser.error(f"no target {name!r}; there are {', '.join(names)}")
    return given


def _import_all() -> None:
    """Import what commands import when they work, so that no child does."""
    import timm  # noqa: F401
    import transformers  # noqa: F401

    import mmseq

    for name in mmseq.__all__:
        getattr(mmseq, name)


def carry_out(
    targets: Sequence[Target], given: argparse.Namespace, folder: Path, whole: Path
) -> dict[str, Tally]:
    """Work on all targets, `given.jobs` at a time; each gets its share of the time."""
    left = sum(target.share for target in targets)
    deadline = time.monotonic() + given.minutes * 60
    waiting, running = list(targets), list[Child]()
    tallies: dict[str, Tally] = {}
    while waiting or running:
        while waiting and len(running) < given.jobs:
            target = waiting.pop(0)
            # What those before have left over is shared out as well.
            seconds = max(1.0, (deadline - time.monotonic()) * given.jobs * target.share / left)
            left -= target.share
            child = Child(target, given.seed, time.monotonic() + seconds, folder, given.only)
            child.start(whole)
            running.append(child)
        for child in list(running):
            if not child.listen(whole):
                running.remove(child)
                tallies[child.target.name] = child.tally
    return {target.name: tallies[target.name] for target in targets}


def table(tallies: dict[str, Tally]) -> list[str]:
    """The lines of the table: a target each, and below it its kinds of failures."""
    lines = [f"{'target':22}{'tried':>9}{'failed':>9}  how"]
    for name, tally in tallies.items():
        kinds = sorted(tally.kinds.items(), key=lambda one: -one[1]) or [("", 0)]
        failed = sum(tally.kinds.values())
        for number, (kind, count) in enumerate(kinds):
            head = f"{name:22}{tally.tried:>9,}{failed:>9,}" if number == 0 else " " * 40
            lines.append(f"{head}  {count} x {kind}" if kind else head)
    tried = sum(tally.tried for tally in tallies.values())
    failed = sum(sum(tally.kinds.values()) for tally in tallies.values())
    lines.append(f"{'all':22}{tried:>9,}{failed:>9,}")
    return lines


if __name__ == "__main__":
    main()
