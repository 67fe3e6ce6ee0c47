"""`mmseq list`, `mmseq show`, `mmseq plugins`."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.markup import escape

from mmseq.errors import unknown
from mmseq.plugins import load_plugins, registry
from mmseq.registry import KINDS, REQUIRED, Entry


def _kind(text: str) -> str:
    """`aux-task`, `aux_task`, `aux tasks` … as written in code."""
    singular = text.lower().replace("-", "_").replace(" ", "_")
    for kind in KINDS:
        if singular in (kind, kind + "s"):
            return kind
    raise unknown("kind", text, KINDS)


def _record(entry: Entry) -> dict[str, str]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": str(entry.target),
        "location": entry.location,
        "description": entry.description,
    }


@click.command("list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_components(kind: str | None, as_json: bool) -> None:
    """List components, of one KIND or of all.

    \b
    Example:
      mmseq list fusion
    """
    entries = registry().entries(_kind(kind) if kind else None)
    if as_json:
        click.echo(json.dumps([_record(entry) for entry in entries], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "name", "from", "what it is")
    for entry in entries:
        table.add_row(KINDS[entry.kind], entry.name, entry.provider, escape(entry.description))
    Console().print(table)
    for clash in registry().clashes():
        click.echo(f"mmseq: {clash}", err=True)


@click.command()
@click.argument("kind")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(kind: str, name: str, as_json: bool) -> None:
    """Show a component: what it is, its options, who provides it. A preset prints as TOML.

    \b
    Examples:
      mmseq show fusion gate
      mmseq show preset mlmner > my.toml
    """
    entry = registry().get(_kind(kind), name)
    if entry.kind == "preset" and not as_json:
        click.echo(entry.path.read_text(encoding="utf-8"), nl=False)
        return
    options = [] if entry.kind == "preset" else list(entry.options().values())
    if as_json:
        record: dict[str, Any] = _record(entry)
        record["options"] = {
            o.name: {"type": o.type_name, "default": None if o.default is REQUIRED else o.default}
            for o in options
        }
        click.echo(json.dumps(record, indent=2, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{KINDS[entry.kind]} [bold]{entry.name}[/] from {entry.provider}")
    console.print(entry.location, markup=False)
    console.print(f"\n{entry.documentation}\n", markup=False)
    table = Table("option", "type", "default")
    for option in options:
        default = "(required)" if option.default is REQUIRED else repr(option.default)
        table.add_row(option.name, escape(option.type_name), escape(default))
    console.print(table if options else "It has no options.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """List the installed plugins and what each registers.

    \b
    Example:
      mmseq plugins --json
    """
    found = load_plugins().plugins
    if as_json:
        records = [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "module": plugin.module,
                "error": plugin.error,
                "components": [_record(entry) for entry in plugin.components],
            }
            for plugin in found
        ]
        click.echo(json.dumps(records, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("plugin", "distribution", "module", "registers")
    for plugin in found:
        lines = [f"{KINDS[e.kind]} {e.name}" for e in plugin.components]
        text = f"[red]broken: {escape(plugin.error)}[/]" if plugin.error else "\n".join(lines)
        provider = f"{plugin.distribution} {plugin.version}"
        table.add_row(plugin.name, provider, plugin.module, text)
    Console().print(table)
