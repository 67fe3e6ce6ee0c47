"""`mmseq parity`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def parity(file: Path, as_json: bool) -> None:
    """Compare cross-transformer, boundary task and CRF with numbers of UMT's published code.

    FILE (safetensors) holds weights, inputs and outputs of that code. Printed is the largest
    absolute difference of each output. Exit code 1 if one is above 1e-5.

    \b
    Example:
      mmseq parity umt_small.safetensors
    """
    from mmseq_umt.parity import TOLERANCE, compare

    found = compare(file)
    # So written that an undefined number is not within.
    above = [name for name, difference in found.items() if not difference <= TOLERANCE]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print_table(found)
        verdict = f"Above {TOLERANCE:g}: {', '.join(above)}."
        click.echo(verdict if above else f"Every output is within {TOLERANCE:g}.")
    if above:
        raise click.exceptions.Exit(1)


def _print_table(found: dict[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("output", no_wrap=True)
    table.add_column("largest difference", justify="right")
    for name, difference in found.items():
        table.add_row(name, f"{difference:.1e}")
    # In a pipe or file every row is one line, however narrow the terminal.
    Console(highlight=False, width=None if sys.stdout.isatty() else 80).print(table)
