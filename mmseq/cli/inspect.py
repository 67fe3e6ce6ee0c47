"""`mmseq list`, `mmseq show`, `mmseq plugins`."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from mmseq.cli.listing import print_listing
from mmseq.config.layering import SEVERAL
from mmseq.errors import UserError, unknown
from mmseq.prose import say, terminal_width
from mmseq.registry.entries import Entry
from mmseq.registry.kinds import FILES, KINDS
from mmseq.registry.options import REQUIRED, Option
from mmseq.registry.plugins import load_plugins, registry
from mmseq.scaffold.kinds import written
from mmseq.streams import put

if TYPE_CHECKING:
    from mmseq.model.field_values import Field


SECTIONS = ("train", "data")
"""Sections of a config that are explained"""
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


def _kind(text: str, also: tuple[str, ...] = ()) -> str:
    """`aux-task`, `aux_task`, `aux tasks` … as written in code; a message names what may stand
    there `also`.
    """
    singular = text.lower().replace("-", "_").replace(" ", "_")
    # A config's section will do: "aux".
    singular = SEVERAL.get(singular, singular)
    for kind in KINDS:
        if singular in (kind, kind + "s"):
            return kind
    raise unknown("kind", text, [*map(written, KINDS), *also])


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
        put(json.dumps([_record(entry) for entry in entries], indent=2))
        return
    print_listing(
        ("kind", "name", "from", "what it is"),
        [
            [Text(cell) for cell in (KINDS[e.kind], e.name, e.provider, e.description)]
            for e in entries
        ],
    )
    for clash in registry().clashes():
        say(f"mmseq: {clash}", err=True)


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
    if kind.split(".")[0] in SECTIONS:
        kind, dot, key = kind.partition(".")
        if dot:
            raise UserError(f"'{kind}.{key}' is one setting: mmseq show {kind} explains it.")
        if name is not None:
            raise UserError(f"'{kind}' is a section of a config: write mmseq show {kind}.")
        _show_section(kind, as_json)
        return
    if name is None:
        _show_contract(_kind(kind, SECTIONS))
        return
    entry = registry().get(_kind(kind), name)
    if entry.kind in FILES and not as_json:
        put(entry.path.read_text(encoding="utf-8"), nl=False)
        return
    options = [] if entry.kind in FILES else list(entry.options().values())
    if as_json:
        record: dict[str, Any] = _record(entry)
        record["options"] = {option.name: _option_record(option) for option in options}
        if entry.kind in READING:
            record["fields"] = {name: _field_record(f) for name, f in entry.load().extras.items()}
        put(json.dumps(record, indent=2, default=str))
        return
    put(f"{entry.title} from {entry.provider}")
    say(f"{entry.location}\n\n{entry.documentation}\n", reflow=True)
    if entry.kind in READING and (extras := entry.load().extras):
        say(f"It reads of the data: {'; '.join(_fields(extras))}.\n")
    if entry.kind == "reader" and (example := entry.load().example_file):
        put(f"A file:\n\n{indent(example, '  ')}")
    if entry.kind == "decoder" and entry.load().reads == "fused":
        say("It reads fused states, no emissions: no task may refine these beside it.\n")
    if entry.kind == "callback" and not entry.load().steers:
        say("It never asks to stop: a run with it is the same experiment as one without.\n")
    if _knows_open_words(entry):
        say("It learns from sentences with open words, too.\n")
    if not options:
        put("It has no options.")
        return
    print_listing(
        ("option", "type", "default"),
        [
            [Text(option.name), Text(option.type_name), Text(_default_text(option))]
            for option in options
        ],
    )


def _default_text(option: Option) -> str:
    return "(required)" if option.default is REQUIRED else repr(option.default)


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
        put(json.dumps({s.key: asdict(s) for s in found}, indent=2))
        return
    say(f"[{name}] of a config; on the command line --set {found[0].key}=VALUE")
    width = terminal_width()
    for setting in found:
        put(f"\n{setting.key} = {json.dumps(setting.default)}    ({setting.values})")
        put(fill(setting.text, width, initial_indent="    ", subsequent_indent="    "))


def _show_contract(kind: str) -> None:
    """The text of the contract's classes, as they are written."""
    if kind not in CONTRACTS:
        names = ", ".join(registry().names(kind)) or "none"
        raise UserError(f"A {KINDS[kind]} is a TOML file; show one by its name: {names}.")
    import mmseq

    classes = [getattr(mmseq, name) for name in CONTRACTS[kind]]
    put("\n\n".join(inspect.getsource(cls).strip() for cls in classes))


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


@click.command(short_help="List the installed plugins and what each registers.")
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
        put(json.dumps(records, indent=2))
        return
    rows = []
    for plugin in found:
        lines = [Text(f"{KINDS[e.kind]} {e.name}") for e in plugin.components]
        if plugin.error:
            lines.append(Text(f"broken: {plugin.error}", "red"))
        registers = Text("\n").join(lines)
        rows.append([Text(plugin.name), Text(plugin.provider), registers, Text(plugin.file)])
    print_listing(("plugin", "distribution", "registers", "file"), rows)
