"""What the user sees: progress on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

TIMES = "0:00:00 so far, 0:00:00 left"
SPACES = 4
"""Between title, bar, numbers and times"""
SHORTEST, LONGEST = 5, 40
"""Columns of a bar"""


class Bar(Progress):
    """A progress bar with a line of text below it: beside it, numbers and times would have to go
    where a terminal is narrow.
    """

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if text := task.fields["text"]:
                yield Text(f"  {text}", no_wrap=True, overflow="ellipsis")


class Advance(Protocol):
    """How whatever takes long reports its progress: `Reporter.progress` gives one."""

    def __call__(self, count: int, text: str = "") -> None:
        """`count` items were done since the last call; `text` is shown below the bar."""


def unseen(count: int, text: str = "") -> None:
    """The `Advance` of work that nobody watches."""


class Reporter:
    """Lines, progress bars and tables for people. `quiet` silences all of it."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or wide_console()
        self.quiet = quiet

    def line(self, text: str) -> None:
        """One line, as it is."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False)

    def warning(self, text: str) -> None:
        """One line on what is left out."""
        self.line(text)

    def table(self, table: Table) -> None:
        if not self.quiet:
            self.console.print(table)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """A bar with the time left on a terminal, and below it what is shown beside; elsewhere
        nothing (lines report the epochs).
        """
        if self.quiet or not self.console.is_terminal:
            yield unseen
            return
        numbers = len(f"{total}/{total} {TIMES}") + SPACES
        title = title[: max(SHORTEST, self.console.width - numbers - SHORTEST)]
        room = self.console.width - numbers - len(title)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(SHORTEST, min(LONGEST, room))),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("so far,"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        with Bar(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total, text="")

            def advance(count: int, text: str = "") -> None:
                bar.update(task, advance=count, text=text)

            yield advance


class Warnings(Reporter):
    """Prints warnings alone, on standard error: for commands that print data."""

    def __init__(self) -> None:
        super().__init__(Console(soft_wrap=True, stderr=True), quiet=True)

    def warning(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)


def wide_console() -> Console:
    """The terminal; a file or pipe gets tables wide enough to be read."""
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=140)


def loss_text(losses: Mapping[str, float]) -> str:
    """``main 1.23 boundary 0.45`` for progress and lines."""
    return "  ".join(f"{name} {value:.3f}" for name, value in losses.items())


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``12 min``, ``40 s``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
