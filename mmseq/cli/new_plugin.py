"""`mmseq new-plugin`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from mmseq.scaffold.kinds import parse_kinds, registered_kinds, training_command, written
from mmseq.streams import put


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--kind",
    "kinds",
    metavar="KIND,…",
    multiple=True,
    default=["fusion"],
    help="text-encoder, image-encoder, fusion, aux-task, decoder, weighting, reader, callback, "
    "preset or command; several by commas, or by the flag again [fusion].",
)
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path), help="Its folder [mmseq-NAME]."
)
@click.pass_context
def new_plugin(
    context: click.Context, name: str, kinds: tuple[str, ...], output: Path | None
) -> None:
    """Write a new plugin, ready to be installed, tested and changed.

    It is a whole distribution with a small working component of each KIND, all called NAME: a
    formula in code, its test with numbers worked by hand, the checks of its contract, a preset that
    names it, README, licence, and the file that tests it on GitHub. Nothing is overwritten.

    \b
    Examples:
      mmseq new-plugin film
      mmseq new-plugin my-tweets --kind reader,aux-task --output plugins/tweets
    """
    from mmseq.scaffold.names import check_name
    from mmseq.scaffold.write import write_plugin

    chosen = parse_kinds(kinds)
    root = context.find_root().command
    made = check_name(name, chosen, root.commands if isinstance(root, click.Group) else ())
    folder = output or Path(made.distribution)
    write_plugin(made, chosen, folder)
    brought = ", ".join(f"{written(kind)} {name}" for kind in registered_kinds(chosen))
    put(f"{folder}: {brought}. Next:")
    place = folder if folder.is_absolute() else f"./{folder}"
    put(f"  pip install -e {quote(f'{place}[dev]')}")
    put(f"  python -m pytest {quote(str(folder))} --mmseq")
    put(f"  {training_command(name, chosen)}")
