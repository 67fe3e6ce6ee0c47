"""`--help`: as click prints it, and no name with a hyphen is broken."""

from __future__ import annotations

from collections.abc import Iterable

import click

HELD = "\N{NON-BREAKING HYPHEN}"
"""Stands for a hyphen while lines are broken"""


class WholeNames(click.HelpFormatter):
    """Breaks lines at spaces alone: ``--dry-run`` in two is no option any more."""

    def write(self, string: str) -> None:
        super().write(string.replace(HELD, "-"))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(_held(prog), _held(args), prefix)

    def write_text(self, text: str) -> None:
        super().write_text(_held(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        super().write_dl([(_held(a), _held(b)) for a, b in rows], col_max, col_spacing)


class WithWholeNames(click.Context):
    """Of commands whose help `WholeNames` writes."""

    formatter_class = WholeNames


def keep_names_whole(command: click.Command) -> None:
    """Have the help of a command, and of those below it, written by `WholeNames`; one with a
    context of its own keeps it.
    """
    if command.context_class is click.Context:
        command.context_class = WithWholeNames
    if isinstance(command, click.Group):
        for below in command.commands.values():
            keep_names_whole(below)


def _held(text: str) -> str:
    return text.replace("-", HELD)
