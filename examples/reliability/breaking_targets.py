"""Training, benches, searches and predictions that are killed, cramped or left without streams.

What is taken up again must end with the same bytes as what was never broken off.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from flows import BENCH, PREDICT, STORED, TRAIN, TUNE, Flow, resumes_predictions, unbroken
from forking import KILLED, Ended, forked
from trial import Attempt, Target, Tried

Break = Callable[[Flow, Path, Path, int, Random], tuple[str, list[str]]]
"""flow, world, folder, operations of the unbroken one, draw -> what was done, what is wrong"""


def broken(name: str, flow: Flow, how: Break, share: float = 1.0) -> Target:
    """A target of work that is broken off as `how` does it, and taken up."""

    def begin(world: Path, folder: Path, seed: str) -> Attempt:
        wanted, operations = unbroken(flow, world, folder)

        def attempt(number: int) -> Tried:
            draw = Random(f"{seed} {name} {number}")
            flow.clean(world, folder)
            what, wrong = how(flow, world, folder, operations, draw)
            if not wrong:
                ended = flow.taken_up(folder)
                if ended.code != 0:
                    wrong = [f"not taken up again: {_said(ended)}"]
                elif flow.outcome(folder) != wanted:
                    found = flow.outcome(folder)
                    other = [file for file in wanted if found.get(file) != wanted[file]]
                    wrong = [f"taken up, another {Path(other[0]).name if other else 'file'}"]
            return Tried(wrong, what=what)

        return attempt

    return Target(name, begin, share)


def _said(ended: Ended) -> str:
    if ended.code is None:
        return "hangs"
    return (ended.error or ended.err).strip().replace("\n", " | ")[-200:] or f"code {ended.code}"


def killed(
    flow: Flow, world: Path, folder: Path, operations: int, draw: Random
) -> tuple[str, list[str]]:
    """`kill -9` before an operation on files, any of them."""
    number = draw.randint(1, operations)
    ended = forked(flow.first.split(), watched=flow.places(folder), kill_at=number)
    what = f"{flow.first}: killed before operation {number} of {operations}"
    return what, [] if ended.code in (KILLED, 0) else [f"before the kill: {_said(ended)}"]


def _cramped(
    flow: Flow, world: Path, folder: Path, operations: int, draw: Random
) -> tuple[str, list[str]]:
    """No file may be larger than a size between a byte and more than the largest."""
    size = int(2 ** draw.uniform(0, 22))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    ended = forked(flow.first.split(), prepare=limit)
    what = f"{flow.first}: with files of at most {size} bytes"
    if ended.code == 0:
        return what, []
    lines = ended.err.splitlines()
    if ended.error or ended.code is None or ended.code < 0:
        return what, [f"full disk: {_said(ended)}"]
    if flow in (BENCH, TUNE):
        # They tell of each run that failed, and end with code 1.
        return what, [f"full disk: {_said(ended)}"] if "Traceback" in ended.err else []
    wrong = ended.code != 2 or len([line for line in lines if line.startswith("Error: ")]) != 1
    return what, [f"full disk: code {ended.code}: {_said(ended)}"] if wrong else []


def _closed(
    flow: Flow, world: Path, folder: Path, operations: int, draw: Random
) -> tuple[str, list[str]]:
    """Any of the standard streams closed; the work is done all the same."""
    closed = draw.choice([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
    ended = forked(flow.first.split(), closed=closed)
    what = f"{flow.first}: without the streams {closed}"
    if ended.code != 0:
        return what, [f"closed streams: {_said(ended)}"]
    # Nothing is left to take up: what is there must be whole.
    return what, []


def _whole_at_once(flow: Flow) -> Flow:
    """The same, of which nothing is left to go on with."""
    return replace(flow, again="list fusion")


def _all() -> list[Target]:
    found = [
        broken("kill-train", TRAIN, killed, 3),
        broken("kill-stores", STORED, killed, 1),
        broken("kill-bench", BENCH, killed, 3),
        broken("kill-tune", TUNE, killed, 3),
        broken("disk-train", TRAIN, _cramped, 2),
        broken("disk-bench", BENCH, _cramped, 2),
        broken("closed-train", _whole_at_once(TRAIN), _closed, 1),
        broken("closed-predict", _whole_at_once(PREDICT), _closed, 1),
    ]
    if resumes_predictions():
        found.insert(4, broken("kill-predict", PREDICT, killed, 2))
        found.append(broken("disk-predict", PREDICT, _cramped, 1))
    return found


TARGETS = tuple(_all())
