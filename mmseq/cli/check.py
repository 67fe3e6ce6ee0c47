"""`mmseq check`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click

from mmseq.errors import UserError, one_line, unknown
from mmseq.prose import say
from mmseq.registry.entries import Entry
from mmseq.registry.plugins import Plugin, load_plugins


@click.command(short_help="Check all that a plugin registers against the contracts.")
@click.argument("plugin")
def check(plugin: str) -> None:
    """Check everything that a PLUGIN registers against the contracts of its kind.

    PLUGIN is the name of a plugin or of its distribution, or the folder of an installed one. Each
    component is built as the engine builds it, beside tiny real parts, with its default options;
    `pytest --mmseq` does the same. Exit code 1 where one breaks its contract.

    \b
    Example:
      mmseq check mmseq-film
    """
    found = _plugin(plugin)
    if not found.components:
        say(f"{found.title} registers no component: there is nothing to check.")
    broken = 0
    for entry in found.components:
        fault = _fault(entry)
        broken += bool(fault)
        say(f"BROKEN  {entry.title}: {fault}" if fault else f"ok      {entry.title}")
    if broken:
        say(f"{broken} of {len(found.components)} break their contract.", err=True)
        raise click.exceptions.Exit(1)


def _fault(entry: Entry) -> str:
    """What is wrong with a component; empty: nothing."""
    from mmseq.testing import ContractError
    from mmseq.testing import check as check_entry

    try:
        check_entry(entry)
    except (ContractError, UserError) as error:
        message = str(error).removeprefix(entry.full_title).removeprefix(entry.title)
        return message.lstrip(",: ")
    # A stranger's class may raise anything, and the others are still to be checked.
    except Exception as error:
        return f"the check ended in {one_line(error)}"
    return ""


def _plugin(name: str) -> Plugin:
    """The plugin of that name; `UserError` where it is unknown or broken."""
    plugins = load_plugins().plugins

    def named(name: str) -> Plugin | None:
        # As pip does: a module's name will do for its distribution's.
        names = {name, name.replace("_", "-")}
        return next((p for p in plugins if names & {p.name, p.distribution}), None)

    found = named(name)
    if found is None and Path(name).is_dir():
        name = _distribution(Path(name))
        found = named(name)
    if found is None:
        whole = name.startswith("mmseq-")
        error = unknown("plugin", name, {p.distribution if whole else p.name for p in plugins})
        raise UserError(f"{error} A new one is checked once it is installed: pip install -e DIR.")
    if found.error:
        raise UserError(f"{found.title} cannot be loaded: {found.error}.")
    return found


def _distribution(folder: Path) -> str:
    """The distribution that a plugin's folder makes; `UserError` for another folder."""
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        name, _ = str(project["name"]), project["entry-points"]["mmseq"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is not the folder of a plugin, which has a pyproject.toml with a name in "
            "[project] and a line in [project.entry-points.mmseq]; install it (pip install -e "
            "FOLDER), then give the folder or the plugin's name."
        ) from error
    return name
