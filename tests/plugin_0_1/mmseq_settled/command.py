"""The command `mmseq settled`."""

import json
from collections import Counter
from pathlib import Path

import click

import mmseq


@click.command("settled")
@click.argument("run", type=click.Path(path_type=Path))
def settled(run):
    """Print what RUN's logbook tells, and the entity words of its test split by type."""
    try:
        lines = (run / "logbook.jsonl").read_text().splitlines()
    except OSError as error:
        raise mmseq.UserError(f"{run}: no logbook; train with the callback logbook.") from error
    kinds = Counter(json.loads(line)["kind"] for line in lines)
    click.echo(f"{kinds['step']} steps, {kinds['epoch']} epochs, {kinds['end']} end")
    for name, number in sorted(Counter(mmseq.entity_states(run).types).items()):
        click.echo(f"{name} {number}")
