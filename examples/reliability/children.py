"""A process for each target, watched: one that ends or hangs is counted, and the next goes on."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from trial import Target, Tried

SILENT = 120
"""Seconds after which a process that says nothing is ended: library code that does not come back"""
ADDRESSES = 8 << 30
"""Bytes of addresses that a process may take beyond its first: what asks for more gets an error"""
KEPT = 3
"""Inputs kept of a kind of failure"""


@dataclass
class Tally:
    """What became of one target."""

    tried: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    checksums: list[str] = field(default_factory=list)
    """Of the inputs, in their order"""

    def add(self, kind: str) -> int:
        """Count a failure; how many of its kind there are."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return self.kinds[kind]


@dataclass
class Child:
    """The process that works on a target, and what it has said so far."""

    target: Target
    seed: str
    until: float
    folder: Path
    only: int | None = None
    tally: Tally = field(default_factory=Tally)
    next: int = 0
    """Number of the attempt that it works on"""
    heard: float = field(default_factory=time.monotonic)
    process: int = 0
    pipe: int = -1
    rest: bytes = b""
    prepared: bool = False

    def start(self, world: Path) -> None:
        """Fork; everything is imported already, so that this takes no time."""
        reading, writing = os.pipe()
        self.heard = time.monotonic()
        self.prepared = False
        self.process = os.fork()
        if self.process == 0:
            os.close(reading)
            os._exit(_work(self, world, writing))
        os.close(writing)
        self.pipe = reading

    def listen(self, world: Path) -> bool:
        """Take in what it says, and start another where it has broken off. False at the end."""
        if select.select([self.pipe], [], [], 0.05)[0]:
            part = os.read(self.pipe, 1 << 16)
            if not part:
                again = self._ended()
                if again:
                    self.start(world)
                return again
            self.heard = time.monotonic()
            *lines, self.rest = (self.rest + part).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        elif time.monotonic() - self.heard > SILENT:
            os.killpg(self.process, signal.SIGKILL)
        return True

    def _take(self, told: Mapping[str, object]) -> None:
        if "begun" in told:
            self.prepared = True
            return
        self.tally.tried += 1
        self.next = int(str(told["number"])) + 1
        self.tally.checksums.append(str(told["checksum"]))
        kinds = told["kinds"]
        assert isinstance(kinds, list)
        for kind in kinds:
            self.tally.add(kind)

    def _ended(self) -> bool:
        """Its end: of its own, or in the middle of an attempt, which is counted and left behind."""
        os.close(self.pipe)
        _, status = os.waitpid(self.process, 0)
        self.rest = b""
        if status == 0:
            return False
        code = os.waitstatus_to_exitcode(status)
        silent = time.monotonic() - self.heard > SILENT
        kind = f"hangs in a library for {SILENT} s" if silent else f"the process ends ({code})"
        self.tally.tried += 1
        self.tally.add(kind if self.prepared else f"cannot begin ({code})")
        keep(self, Tried([kind]), self.next)
        self.next += 1
        return self.prepared and self.only is None and time.monotonic() < self.until


def _work(child: Child, world: Path, writing: int) -> int:
    """Attempts until the time is over; in the process of its own."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    folder = child.folder / "work" / child.target.name
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    noise = os.open(
        folder.parent / f"{child.target.name}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, place in ((0, nothing), (1, noise), (2, noise)):
        os.dup2(place, stream)
    faulthandler.enable(file=noise)
    with suppress(ValueError, OSError):
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESSES, -1))

    def tell(**told: object) -> None:
        os.write(writing, (json.dumps(told) + "\n").encode())

    attempt = child.target.begin(world, folder, child.seed)
    tell(begun=True)
    seen = Tally()
    number = child.only if child.only is not None else child.next
    while True:
        tried = attempt(number)
        for kind in tried.kinds:
            if seen.add(kind) <= KEPT:
                keep(child, tried, number)
        checksum = tried.trial.number() if tried.trial else tried.what
        tell(number=number, kinds=tried.kinds, checksum=checksum)
        number += 1
        # One at least, however long it took to begin.
        if child.only is not None or time.monotonic() >= child.until:
            return 0


def keep(child: Child, tried: Tried, number: int) -> None:
    """Write a failing input, what it was given to, and the command that tries it again."""
    place = child.folder / "failures" / f"{child.target.name}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_name("campaign.py")
    told = [
        f"# {'; '.join(tried.kinds)}",
        f"{sys.executable} {script} --targets {child.target.name} --seed {child.seed} "
        f"--only {number}",
    ]
    if tried.what:
        told.append(f"# {tried.what}")
    if tried.trial is not None:
        told += [f"# mmseq {shlex.join(command)}" for command in tried.trial.commands]
        for name, content in tried.trial.files.items():
            if content is None:
                told.append(f"# without {name}")
                continue
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (place / "standard-input").write_bytes(tried.trial.given)
    text = "\n".join(line.replace("\n", "\\n") for line in told) + "\n"
    (place / "command.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
