"""`mmseq parity`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

import mmseq
from mmseq_umt.parity import TOLERANCE

if TYPE_CHECKING:
    from rich.table import Table

    from mmseq_umt.parity.comparison import Difference


@click.command(short_help="Compare UMT's modules with numbers of its published code.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def parity(file: Path, as_json: bool) -> None:
    """Compare cross-transformer, boundary task and CRF with numbers of UMT's published code.

    FILE (safetensors) holds weights, inputs and outputs of that code. For each output, the largest
    absolute difference and the output's magnitude (its largest absolute value) are printed. Exit
    code 1 if a difference is above 1e-5 of the magnitude.

    \b
    Example:
      mmseq parity umt_small.safetensors
    """
    from mmseq_umt.parity.comparison import differences

    found = differences(file)
    above = [name for name, difference in found.items() if not difference.within]
    if as_json:
        click.echo(json.dumps({name: each.largest for name, each in found.items()}, indent=2))
    else:
        reporter = mmseq.Reporter()
        reporter.table(_table(found))
        within = f"Every output is within {TOLERANCE:g} of its magnitude."
        said = f"Above {TOLERANCE:g} of its magnitude: {', '.join(above)}."
        reporter.line(said if above else within)
    if above:
        raise click.exceptions.Exit(1)


def _table(found: Mapping[str, Difference]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("output", no_wrap=True)
    table.add_column("largest difference", justify="right")
    table.add_column("magnitude", justify="right")
    for name, each in found.items():
        table.add_row(name, f"{each.largest:.1e}", f"{each.magnitude:.3g}")
    return table
