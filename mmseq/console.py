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

from mmseq.prose import wrapped
from mmseq.table_width import print_table

TIMES = "0:00:00 so far, 0:00:00 left"
SPACES = 4
"""Between title, bar, numbers and times"""
SHORTEST, LONGEST = 5, 40
"""Columns of a bar"""


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
        """One line, as it is; a terminal that is narrower gets it broken between words."""
        if not self.quiet:
            print_line(self.console, text)

    def warning(self, text: str) -> None:
        """One line on what is left out."""
        self.line(text)

    def table(self, table: Table) -> None:
        if not self.quiet:
            print_table(self.console, table)

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
        with _WithText(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total, text="")

            def advance(count: int, text: str = "") -> None:
                bar.update(task, advance=count, text=text)

            yield advance


class _WithText(Progress):
    """Bars, each with its text in a line below: beside it, a narrow terminal would cut both."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if text := task.fields["text"]:
                yield Text(wrapped(f"  {text}", self.console.width))


class Warnings(Reporter):
    """Prints warnings alone, on standard error: for commands that print data."""

    def __init__(self) -> None:
        super().__init__(Console(soft_wrap=True, stderr=True), quiet=True)

    def warning(self, text: str) -> None:
        print_line(self.console, text)


def print_line(console: Console, text: str) -> None:
    """Prose: in a file or pipe one line, on a terminal broken between words."""
    shown = wrapped(text, console.width) if console.is_terminal else text
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


def wide_console() -> Console:
    """The terminal; a file or pipe gets tables as wide as COLUMNS says, else 80."""
    return Console(soft_wrap=True)


def loss_text(losses: Mapping[str, float]) -> str:
    """``main 1.23 boundary 0.45`` for progress and lines."""
    return "  ".join(f"{name} {value:.3f}" for name, value in losses.items())


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``12 min``, ``40 s``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
