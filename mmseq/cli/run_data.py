"""What commands ask of a run and a split of data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def run_and_data(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments RUN and [DATA], and the options `--split` and `--images`."""
    for decorate in (
        click.option("--images", metavar="DIR", help="Folder of the pictures [DATA/images]."),
        click.option(
            "--split",
            type=click.Choice(["train", "valid", "test"]),
            default="test",
            help="Which split of DATA [test].",
        ),
        click.argument("data", required=False),
        click.argument("run", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command
