"""What the user sees: progress on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mmseq.escaping import harmless, on_one_line
from mmseq.prose import wrapped
from mmseq.streams import is_dumb, is_plain
from mmseq.table_width import print_table

TIMES = "0:00:00 so far, 0:00:00 left"
LEFT = "0:00:00 left"
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
        """A table as wide as there is room; strings in it are data, a `rich` `Text` has looks."""
        if not self.quiet:
            print_table(self.console, table)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """A bar with the time left on a terminal, and below it what is shown beside; elsewhere
        nothing (lines report the epochs).
        """
        if self.quiet or not self.console.is_terminal or self.console.is_dumb_terminal:
            yield unseen
            return
        title, columns = _bar(on_one_line(title), total, self.console.width)
        with _WithText(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total, text="")

            def advance(count: int, text: str = "") -> None:
                bar.update(task, advance=count, text=text)

            yield advance


def _bar(title: str, total: int, width: int) -> tuple[str, list[ProgressColumn]]:
    """The title as far as there is room, and the columns of its bar: where both times do not fit
    beside it, the one that is left, without the bar.
    """
    count, left = MofNCompleteColumn(), TimeRemainingColumn()
    name = TextColumn("{task.description}", markup=False)
    numbers = len(f"{total}/{total} {TIMES}") + SPACES
    if numbers + 2 * SHORTEST > width:
        room = width - len(f"{total}/{total} {LEFT}") - SPACES
        columns = [name, count, left, TextColumn("left")]
        return (title[:room], columns) if room > 0 else ("", [count])
    title = title[: width - numbers - SHORTEST]
    bar = BarColumn(bar_width=max(SHORTEST, min(LONGEST, width - numbers - len(title))))
    so_far = TextColumn("so far,")
    return title, [name, bar, count, TimeElapsedColumn(), so_far, left, TextColumn("left")]


class _WithText(Progress):
    """Bars, each with its text in a line below: beside it, a narrow terminal would cut both."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if text := task.fields["text"]:
                yield Text(wrapped(f"  {harmless(text)}", self.console.width))


class Warnings(Reporter):
    """Prints warnings alone, on standard error: for commands that print data."""

    def __init__(self) -> None:
        super().__init__(wide_console(stderr=True), quiet=True)

    def warning(self, text: str) -> None:
        print_line(self.console, text)


def print_line(console: Console, text: str) -> None:
    """Prose: in a file or pipe one line, on a terminal broken between words. Names and text of
    users in it are `harmless`, and never markup.
    """
    text = harmless(text)
    shown = wrapped(text, console.width) if console.is_terminal else text
    console.print(shown, markup=False, emoji=False, highlight=False, soft_wrap=True)


def wide_console(*, stderr: bool = False) -> Console:
    """The terminal, in colours where it has them and NO_COLOR does not say otherwise; a file or
    pipe gets tables as wide as COLUMNS says, else 80.
    """
    console = Console(
        soft_wrap=True,
        stderr=stderr,
        markup=False,
        emoji=False,
        color_system=None if is_plain() else "auto",
    )
    if is_dumb() and console.is_terminal:
        # rich takes all of these for 80 columns wide.
        console.size = shutil.get_terminal_size()
    return console


def loss_text(losses: Mapping[str, float]) -> str:
    """``main 1.23 boundary 0.45`` for progress and lines."""
    return "  ".join(f"{name} {value:.3f}" for name, value in losses.items())


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``12 min``, ``40 s``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
