"""Training, benches, searches and predictions that are killed, cramped or left without streams.

What is taken up again must end with the same bytes as what was never broken off.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from flows import BENCH, PREDICT, STORED, TRAIN, TUNE, Flow, Unbroken, unbroken
from forking import Ended, forked
from trial import Attempt, Target, Tried

BY_TIME = 0.2
"""Share of the kills that come at a moment: also between two operations, as while a file grows"""


@dataclass(frozen=True)
class Broken:
    """What was done to a flow, and how far it came."""

    what: str
    wrong: str = ""
    done: bool = False
    """It came to its end all the same"""


Break = Callable[[Flow, Path, Unbroken, Random], Broken]


def broken(name: str, flow: Flow, how: Break, share: float = 1.0) -> Target:
    """A target of work that is broken off as `how` does it, and taken up."""

    def begin(world: Path, folder: Path, seed: str) -> Attempt:
        whole = unbroken(flow, world, folder)

        def attempt(number: int) -> Tried:
            flow.clean(world, folder)
            found = how(flow, folder, whole, Random(f"{seed} {name} {number}"))
            wrong = found.wrong or _not_taken_up(flow, folder, whole.outcome, done=found.done)
            return Tried([wrong] if wrong else [], what=found.what)

        return attempt

    return Target(name, begin, share)


def _not_taken_up(flow: Flow, folder: Path, wanted: dict[str, str], *, done: bool) -> str:
    """What is wrong after the work is taken up, where it is not done already."""
    if not done:
        ended = flow.taken_up(folder)
        if ended.code != 0:
            return f"not taken up again: {_said(ended)}"
    found = flow.outcome(folder)
    others = sorted(name for name in {*wanted, *found} if found.get(name) != wanted.get(name))
    if not others:
        return ""
    return f"{'done' if done else 'taken up'}, another {Path(others[0]).name}"


def _said(ended: Ended) -> str:
    if ended.code is None:
        return "hangs"
    return (ended.error or ended.err).strip().replace("\n", " | ")[-200:] or f"code {ended.code}"


def _end_after(seconds: float) -> None:
    """The system ends the process, which does not hear of it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))


def killed(flow: Flow, folder: Path, whole: Unbroken, draw: Random) -> Broken:
    """Ended without a word before an operation on files, any of them; now and then at a moment."""
    if draw.random() < BY_TIME:
        seconds = draw.uniform(0.0, whole.seconds)
        ended = forked(flow.first.split(), prepare=partial(_end_after, seconds))
        what = f"{flow.first}: killed after {seconds:.2f} s of {whole.seconds:.2f}"
    else:
        number = draw.randint(1, whole.operations)
        ended = forked(flow.first.split(), watched=flow.places(folder), kill_at=number)
        what = f"{flow.first}: killed before operation {number} of {whole.operations}"
    if ended.code not in (-signal.SIGKILL, -signal.SIGALRM, 0):
        return Broken(what, f"before the kill: {_said(ended)}")
    return Broken(what, done=ended.code == 0)


def _cramped(flow: Flow, folder: Path, whole: Unbroken, draw: Random) -> Broken:
    """No file may be larger than a size between a byte and more than the largest."""
    size = int(2 ** draw.uniform(0, 22))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    ended = forked(flow.first.split(), prepare=limit)
    what = f"{flow.first}: with files of at most {size} bytes"
    if ended.code == 0:
        return Broken(what, done=True)
    # Benches and searches tell of each run that failed, and end with code 1.
    codes = (1, 2) if flow in (BENCH, TUNE) else (2,)
    lines = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    bad = ended.error or ended.code not in codes or "Traceback" in ended.err
    if bad or (ended.code == 2 and len(lines) != 1):
        return Broken(what, f"full disk, code {ended.code}: {_said(ended)}")
    return Broken(what)


def _closed(flow: Flow, folder: Path, whole: Unbroken, draw: Random) -> Broken:
    """Any of the standard streams closed; the work is done all the same."""
    closed = draw.choice([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
    ended = forked(flow.first.split(), closed=closed)
    what = f"{flow.first}: without the streams {closed}"
    return Broken(what, "" if ended.code == 0 else f"closed streams: {_said(ended)}", done=True)


TARGETS = (
    broken("kill-train", TRAIN, killed, 3),
    broken("kill-stores", STORED, killed, 1),
    broken("kill-predict", PREDICT, killed, 2),
    broken("kill-bench", BENCH, killed, 3),
    broken("kill-tune", TUNE, killed, 3),
    broken("disk-train", TRAIN, _cramped, 2),
    broken("disk-predict", PREDICT, _cramped, 1),
    broken("disk-bench", BENCH, _cramped, 2),
    broken("closed-train", TRAIN, _closed, 1),
    broken("closed-predict", PREDICT, _closed, 1),
)
