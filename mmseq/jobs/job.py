"""A run to carry out, the events it reports, and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Job:
    """One training run."""

    name: str
    """For people, and for files; no two jobs of a pool share it"""
    config: Mapping[str, Any]
    """Tables of a `mmseq.Config`, every default filled in"""
    folder: Path
    """Its run folder on this machine: new, or of the same run begun earlier, which goes on"""
    log: Path
    """What the run prints goes here"""
    weights: bool = True
    """Bring the weights back where they were not made here"""


@dataclass(frozen=True)
class Event:
    """Reported by a run under way."""

    kind: Literal["step", "epoch"]
    step: int
    """Optimiser steps done"""
    epoch: int
    """Of an epoch's event: epochs done"""
    f1: float | None = None
    """Of an epoch's event: validation F1; None without validation, or while it prepares"""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. A ``done`` one is whole in the job's folder."""

    status: Literal["done", "failed", "interrupted"]
    error: str = ""
    """Of a failed one: one line"""
    seconds: float = 0.0
    """Wall clock, start-up included"""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the pool adds: on which node it ran"""


Listener = Callable[[Job, Event], str]
"""Called with every event; what it answers to an epoch's event, if anything, is the reason for
the run to stop there."""


class Pool(Protocol):
    """Carries out jobs, several at a time."""

    threads: int
    """CPU threads of each run"""

    def run(self, jobs: Iterator[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        """Take jobs one by one as there is room, and give each back as it ends.

        On Ctrl-C the runs under way save what they have and end as ``interrupted``; then
        `KeyboardInterrupt` is raised.
        """
