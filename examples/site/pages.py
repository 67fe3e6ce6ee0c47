"""The pages of the documentation's site; mkdocs calls `on_files`.

They are the guide in `pages/`, the project's other Markdown files, and reference pages made from
the code. Every file keeps its path in the repository, so that its links work there and on the site.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from mmseq.scaffold.kinds import TRAIN, written

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "examples/site/pages"
"""Folder of the pages written for the site, its `docs_dir`: they stand at the site's top"""
FIRST = ("Config", "train", "load")
"""Public names that a user of the Python interface begins with"""
CONTRACTS = (
    "mmseq.contracts",
    *(
        f"mmseq.contracts.{module}"
        for module in (
            "example",
            "states",
            "text_encoder",
            "image_encoder",
            "fusion",
            "aux_task",
            "decoder",
            "weighting",
            "reader",
            "callback",
        )
    ),
)
ELSEWHERE = {
    **dict.fromkeys(CONTRACTS, "contracts.md"),
    "mmseq.hookspecs": "hooks.md",
    "mmseq.registry.ranges": "hooks.md",
}
"""Module -> the page that describes all of it"""
WIDTH = 92
"""Characters that a line of code has room for on a page"""
EAGER = ("mmseq.errors", "mmseq.hookspecs", "mmseq.registry.ranges")
"""Modules whose public names `mmseq` imports at once; the others it knows by their module"""


def own_pages() -> Iterator[str]:
    """Markdown files of the project and what they show, by their path from its root."""
    yield from ("README.md", "CHANGELOG.md", "SECURITY.md")
    yield from ("examples/README.md", "plugins/README.md")
    yield "examples/benchmarks/SPEED.md"
    yield "examples/benchmarks/SCALING.md"
    yield "examples/benchmarks/growth.svg"
    yield from ("examples/own_data/README.md", "examples/own_data/reader/mmseq_csv.py")
    yield from ("examples/ENCODERS.md", "examples/small_plugins/README.md")
    yield "examples/reliability/README.md"
    for path in sorted((ROOT / "plugins").glob("*/README.md")):
        yield path.relative_to(ROOT).as_posix()


def reference_pages() -> dict[str, str]:
    """Path -> Markdown of every page that is made from code."""
    return {
        "reference/contracts.md": _contracts(),
        "reference/examples.md": _examples(),
        "reference/hooks.md": _modules(
            "Hooks", "What a plugin may implement.", "mmseq.hookspecs", "mmseq.registry.ranges"
        ),
        "reference/components.md": _components(),
        "reference/config.md": _config(),
        "reference/commands.md": _commands(),
        "reference/python.md": _python(),
        "reference/testing.md": _modules(
            "Testing", "Checks of a component against its contract.", "mmseq.testing"
        ),
    }


def _modules(title: str, about: str, *modules: str) -> str:
    return "\n\n".join([f"# {title}", about, *(f"::: {module}" for module in modules)])


def _contracts() -> str:
    return _modules("Contracts", "What a component gets and gives.", *CONTRACTS)


def _examples() -> str:
    """The component of every kind that `mmseq new-plugin` writes, as it stands in the template."""
    template = ROOT / "mmseq" / "scaffold" / "template" / "mmseq_example"
    lines = [
        "# Examples of every kind",
        "`mmseq new-plugin NAME --kind KIND` writes this and its tests, under NAME. Shapes and "
        "masks are described in the [contracts](contracts.md).",
    ]
    for kind in TRAIN:
        path = template / ("presets/example.toml" if kind == "preset" else f"{kind}.py")
        code = path.read_text(encoding="utf-8").strip()
        lines += [f"## {written(kind)}", f"```{path.suffix[1:]}\n{code}\n```"]
    return "\n\n".join(lines)


def _python() -> str:
    import mmseq

    lines = ["# Python", "Every name of the module `mmseq`."]
    for name in [*FIRST, *sorted(set(mmseq.__all__) - set(FIRST))]:
        home = _home(name)
        page = ELSEWHERE.get(home)
        lines.append(f"## `mmseq.{name}`")
        lines.append(f"[Described here]({page}#{home}.{name})." if page else f"::: {home}.{name}")
    return "\n\n".join(lines)


def _home(name: str) -> str:
    """The module in which a public name is defined."""
    import mmseq

    eager = (module for module in EAGER if hasattr(import_module(module), name))
    return mmseq._HOME.get(name) or next(eager)


def _components() -> str:
    from mmseq.registry.kinds import FILES, KINDS
    from mmseq.registry.plugins import registry

    lines = ["# Components", "What `mmseq list` prints, and the options of each."]
    for entry in registry().entries():
        lines += [f"## {KINDS[entry.kind]} `{entry.name}`", f"From {entry.provider}."]
        lines.append(_text(entry.documentation))
        options = [] if entry.kind in FILES else list(entry.options().values())
        if options:
            rows = [
                f"| `{o.name}` | {o.type_name} | `{o.default!r}` |".replace("\n", " ")
                for o in options
            ]
            lines.append("\n".join(["| option | type | default |", "|---|---|---|", *rows]))
    return "\n\n".join(lines)


def _config() -> str:
    from mmseq.config.config import DataConfig, TrainConfig

    lines = ["# Config", "Sections of a run's TOML file that are the engine's own."]
    sections: Mapping[str, Any] = {"data": DataConfig, "train": TrainConfig}
    for name, model in sections.items():
        fields = model.model_json_schema()["properties"]
        rows = [
            f"| `{name}.{key}` | `{json.dumps(field.get('default'))}` | "
            f"{' '.join(field.get('description', '').split())} |"
            for key, field in fields.items()
        ]
        table = ["| key | default | |", "|---|---|---|", *rows]
        lines += [f"## `[{name}]`", "\n".join(table)]
    lines += [
        "## Components",
        "`[text_encoder]`, `[image_encoder]`, `[fusion]`, `[decoder]` and `[weighting]` have a "
        "`name` and that component's options; `[aux.NAME]` an auxiliary task's options and its "
        "`weight`; `[callbacks.NAME]` a callback's. See [components](components.md).",
    ]
    return "\n\n".join(lines)


def _commands() -> str:
    from mmseq.cli import build

    cli = build()
    lines = ["# Commands"]
    context = click.Context(cli, info_name="mmseq")
    for name, command in sorted(cli.commands.items()):
        lines += list(_help(command, name, context))
    return "\n\n".join(lines)


def _help(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH)
    yield f"## `{context.command_path}`\n\n{_text(command.get_help(context))}"
    if isinstance(command, click.Group):
        for sub, inner in sorted(command.commands.items()):
            yield from _help(inner, sub, context)


def _text(text: str) -> str:
    """As it is, whatever Markdown would make of it."""
    return f"```text\n{text}\n```"


def on_files(files: Any, config: Any) -> Any:
    """Mkdocs' hook: the site's files."""
    from mkdocs.structure.files import File

    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
        path = f"{GUIDE}/{file.src_uri}"
        guide = File.generated(config, path, abs_src_path=file.abs_src_path)
        guide.dest_uri = file.dest_uri
        files.append(guide)
    for path in own_pages():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for path, content in reference_pages().items():
        files.append(File.generated(config, path, content=content))
    return files
