"""`--columns` and `--scheme`: how files of tagged words are laid out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from mmseq.cli.pairs import pairs

SCHEMES = ("auto", "bio", "bioes", "bmes", "iob1", "io")
_FORM = "write --columns word=2,tag=3 (from 1, -1 the last, or names of the first line)"

Columns = dict[str, int | str]


def parse_columns(text: str) -> Columns:
    """``word=2,tag=3`` as a mapping; `UserError` for anything else."""
    return {
        name: int(value) if re.fullmatch(r"[+-]?\d+", value, re.ASCII) else value
        for name, value in pairs("--columns", [text], _FORM).items()
    }


def columns_option(
    help: str = "Columns: word=2,tag=3, or names of the first line [first and last].",
    *,
    multiple: bool = False,
) -> Callable[[Any], Any]:
    """The option `--columns`: None, or a mapping; with `multiple` a tuple of mappings."""

    def parsed(context: click.Context, option: click.Parameter, value: Any) -> Any:
        if multiple:
            return tuple(map(parse_columns, value))
        return None if value is None else parse_columns(value)

    return click.option(
        "--columns", metavar="NAME=N,…", multiple=multiple, callback=parsed, help=help
    )


def scheme_option(
    help: str = "Tagging scheme of the files [auto].", default: str | None = "auto"
) -> Callable[[Any], Any]:
    """The option `--scheme`."""
    return click.option("--scheme", type=click.Choice(SCHEMES), default=default, help=help)
