"""What a target tries: files that are not what they should be, and commands that read them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Protocol

from judging import judged


@dataclass(frozen=True)
class Trial:
    """One input: `files` below the working folder (None: taken away), then `commands`."""

    commands: Sequence[Sequence[str]]
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    given: bytes = b""
    """Standard input"""
    codes: Sequence[int] = (0, 2)
    """Exit codes that are right"""
    renewed: Sequence[str] = ()
    """Files and folders that the commands write, made as before afterwards"""

    def number(self) -> str:
        """A checksum of all of it, to compare what two campaigns tried."""
        told = repr((self.commands, sorted(self.files.items(), key=lambda one: one[0]), self.given))
        return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


Make = Callable[[int, Random], Trial]
"""The trial of a number, drawn"""


@dataclass(frozen=True)
class Tried:
    """How one attempt ended: what was wrong, and what to keep of it where something was."""

    kinds: Sequence[str] = ()
    trial: Trial | None = None
    what: str = ""
    """What was tried, where no files tell it"""


class Attempt(Protocol):
    """Carries out the attempt of a number."""

    def __call__(self, number: int) -> Tried: ...


@dataclass(frozen=True)
class Target:
    """Something to attack. `begin(world, folder, seed)`: makes its attempts ready in `folder`, the
    current one.
    """

    name: str
    begin: Callable[[Path, Path, str], Attempt]
    share: float = 1.0
    """Of the time"""
    make: Callable[[Path, str], Make] | None = None
    """Of a fuzzed one: world, seed -> what makes the trial of a number"""


def fuzzed(
    name: str, make: Callable[[Path, str], Make], share: float = 1.0, takes: Sequence[str] = ()
) -> Target:
    """A target of inputs. `make(world, seed)`: gives the trial of a number, drawn from `Random`;
    `takes`: what of the world lies in its working folder.
    """

    def begin(world: Path, folder: Path, seed: str) -> Attempt:
        for top in takes:
            renew(world, folder, top)
        made = make(world, seed)

        def attempt(number: int) -> Tried:
            draw = Random(f"{seed} {name} {number}")
            trial = made(number, draw)
            return Tried(tried_in(world, folder, trial, terminal=draw.random() < 0.3), trial)

        return attempt

    return Target(name, begin, share, make)


def tried_in(world: Path, folder: Path, trial: Trial, *, terminal: bool) -> list[str]:
    """What goes wrong with a trial's commands in `folder`, which is as before afterwards."""
    try:
        for name, content in trial.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        found = [
            judged(command, given=trial.given, codes=trial.codes, terminal=terminal)
            for command in trial.commands
        ]
    finally:
        for name in (*trial.files, *trial.renewed):
            renew(world, folder, name)
    return sorted({kind for kind in found if kind})


def renew(world: Path, folder: Path, name: str) -> None:
    """Make a file or folder as it is in the world, or take it away where that has none."""
    path, source = folder / name, world / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if source.is_dir():
        shutil.copytree(source, path, symlinks=True)
    elif source.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, path)
