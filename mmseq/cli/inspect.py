"""`mmseq list`, `mmseq show`, `mmseq plugins`."""

from __future__ import annotations

import inspect
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from mmseq.config.layering import SEVERAL
from mmseq.errors import UserError, unknown
from mmseq.registry.entries import Entry
from mmseq.registry.kinds import FILES, KINDS
from mmseq.registry.options import REQUIRED, Option
from mmseq.registry.plugins import load_plugins, registry
from mmseq.scaffold.kinds import written

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mmseq.model.field_values import Field


READING = ("text_encoder", "fusion", "aux_task")
"""Kinds that may read further fields of the data"""
CONTRACTS = {
    "text_encoder": ("TextEncoder", "TextInputs", "ImageStates", "TextStates", "PerWord", "Sizes"),
    "image_encoder": ("ImageEncoder", "Pictures", "Sizes"),
    "fusion": ("Fusion", "TextStates", "ImageStates", "Fused", "PerWord", "Sizes"),
    "aux_task": (
        "AuxTask",
        "Targets",
        "AuxOutput",
        "PerWord",
        "PerSentence",
        "Text",
        "Example",
        "Sizes",
    ),
    "decoder": ("Decoder", "Targets", "Sizes"),
    "weighting": ("Weighting", "Weighted", "Sizes"),
    "reader": ("Reader", "Example"),
    "callback": ("Callback", "RunAhead", "StepEvent", "EpochEvent"),
}
"""Kind -> the public classes that say what such a component gets and gives"""


def _kind(text: str) -> str:
    """`aux-task`, `aux_task`, `aux tasks` … as written in code."""
    singular = text.lower().replace("-", "_").replace(" ", "_")
    # A config's section will do: "aux".
    singular = SEVERAL.get(singular, singular)
    for kind in KINDS:
        if singular in (kind, kind + "s"):
            return kind
    raise unknown("kind", text, map(written, KINDS))


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
    table = _table("kind", "name", "from", "what it is")
    for entry in entries:
        table.add_row(KINDS[entry.kind], entry.name, entry.provider, escape(entry.description))
    _console().print(table)
    for clash in registry().clashes():
        click.echo(f"mmseq: {clash}", err=True)


@click.command()
@click.argument("kind")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(kind: str, name: str | None, as_json: bool) -> None:
    """Show a component: what it is, its options, who provides it. Presets and plans print as TOML.

    Without NAME: the contract of that KIND, what such a component gets and gives. `show train` and
    `show data` explain every setting of these two sections of a config.

    \b
    Examples:
      mmseq show fusion gate
      mmseq show fusion
      mmseq show train
      mmseq show preset mlmner > my.toml
    """
    if kind in ("train", "data"):
        if name is not None:
            raise UserError(f"'{kind}' is a section of a config: write mmseq show {kind}.")
        _show_section(kind, as_json)
        return
    if name is None:
        _show_contract(_kind(kind))
        return
    entry = registry().get(_kind(kind), name)
    if entry.kind in FILES and not as_json:
        click.echo(entry.path.read_text(encoding="utf-8"), nl=False)
        return
    options = [] if entry.kind in FILES else list(entry.options().values())
    if as_json:
        record: dict[str, Any] = _record(entry)
        record["options"] = {option.name: _option_record(option) for option in options}
        if entry.kind in READING:
            record["fields"] = {name: _field_record(f) for name, f in entry.load().extras.items()}
        click.echo(json.dumps(record, indent=2, default=str))
        return
    click.echo(f"{entry.title} from {entry.provider}")
    click.echo(f"{entry.location}\n\n{entry.documentation}\n")
    if entry.kind in READING and (extras := entry.load().extras):
        click.echo(f"It reads of the data: {'; '.join(_fields(extras))}.\n")
    if entry.kind == "reader" and (example := entry.load().example_file):
        click.echo(f"A file:\n\n{indent(example, '  ')}")
    if entry.kind == "decoder" and entry.load().reads == "fused":
        click.echo("It reads fused states, no emissions: no task may refine these beside it.\n")
    if entry.kind == "callback" and not entry.load().steers:
        click.echo("It never asks to stop: a run with it is the same experiment as one without.\n")
    if _knows_open_words(entry):
        click.echo("It learns from sentences with open words, too.\n")
    if not options:
        click.echo("It has no options.")
        return
    table = _table("option", "type", "default")
    for option in options:
        default = "(required)" if option.default is REQUIRED else repr(option.default)
        table.add_row(option.name, escape(option.type_name), escape(default))
    _console().print(table)


def _knows_open_words(entry: Entry) -> bool:
    """Whether training data may leave words open beside it; False where it does not matter."""
    if entry.kind == "decoder":
        from mmseq.model.partial import has_partial_loss

        return has_partial_loss(entry.load())
    return entry.kind == "aux_task" and entry.load().partial


def _show_section(name: str, as_json: bool) -> None:
    """The settings of [data] or [train], each with its type, default and text."""
    from mmseq.config.sections import settings_of

    found = settings_of(name)
    if as_json:
        click.echo(json.dumps({s.key: asdict(s) for s in found}, indent=2))
        return
    click.echo(f"[{name}] of a config; on the command line --set {found[0].key}=VALUE")
    width = _console().width
    for setting in found:
        click.echo(f"\n{setting.key} = {json.dumps(setting.default)}    ({setting.values})")
        click.echo(fill(setting.text, width, initial_indent="    ", subsequent_indent="    "))


def _show_contract(kind: str) -> None:
    """The text of the contract's classes, as they are written."""
    if kind not in CONTRACTS:
        names = ", ".join(registry().names(kind)) or "none"
        raise UserError(f"A {KINDS[kind]} is a TOML file; show one by its name: {names}.")
    import mmseq

    classes = [getattr(mmseq, name) for name in CONTRACTS[kind]]
    click.echo("\n\n".join(inspect.getsource(cls).strip() for cls in classes))


def _fields(extras: Mapping[str, Field]) -> Iterator[str]:
    """What users must put into their data."""
    from mmseq.model.fields import told

    for name, field in extras.items():
        alone = " (in training alone)" if field.training_only else ""
        yield f"{name}, {told(field)}{alone}"


def _field_record(field: Field) -> dict[str, Any]:
    """Its kind and what it may hold; None for a bound that there is not."""
    held = {k: None if abs(v) == math.inf else v for k, v in asdict(field).items()}
    return {"kind": type(field).__name__, **held}


def _option_record(option: Option) -> dict[str, Any]:
    required = option.default is REQUIRED
    default = None if required else option.default
    return {"type": option.type_name, "default": default, "required": required}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """List the installed plugins: version, what each registers, its file, what is broken and why.

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
                "file": plugin.file,
                "error": plugin.error,
                "components": [_record(entry) for entry in plugin.components],
            }
            for plugin in found
        ]
        click.echo(json.dumps(records, indent=2))
        return
    table = _table("plugin", "distribution", "registers", "file")
    for plugin in found:
        lines = [f"{KINDS[e.kind]} {e.name}" for e in plugin.components]
        if plugin.error:
            lines.append(f"[red]broken: {escape(plugin.error)}[/]")
        table.add_row(plugin.name, plugin.provider, "\n".join(lines), escape(plugin.file))
    _console().print(table)


def _table(*headings: str) -> Table:
    """A table whose first columns are never broken, so that lines can be searched."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1])
    return table


def _console() -> Console:
    """As wide as the terminal; in a pipe or file every row is one line."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 500)
