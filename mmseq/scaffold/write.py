"""Writing a new plugin: the template's files for the chosen kinds, under the plugin's name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from packaging.version import Version

from mmseq.config.layering import SEVERAL
from mmseq.data.folder import require_folder
from mmseq.drafts import draft_of
from mmseq.durable import put_folder
from mmseq.errors import UserError
from mmseq.scaffold.kinds import IN_PRESET, TRAIN, registered_kinds
from mmseq.scaffold.names import PluginName
from mmseq.version import __version__

TEMPLATE = Path(__file__).parent / "template"
PRESETS = Path("mmseq_example", "presets")
OWN, ENGINE = "example.toml", "engine.toml"
"""A preset of the plugin's components, and one of the engine's, in the same sections"""


def write_plugin(name: PluginName, kinds: Collection[str], folder: Path) -> None:
    """Write a distribution that brings a component of each of `kinds` into the new `folder`.

    The folder appears when all of it is written. `UserError` where it exists, or where there is
    nothing to put it in, or it cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise UserError(
            f"{folder} exists already and is not overwritten; remove it, or give another folder: "
            "--output DIR."
        )
    require_folder(folder.parent, "folder for the plugin")
    try:
        with draft_of(folder) as unfinished:
            draft = unfinished / folder.name
            for path, text in _files(registered_kinds(kinds)):
                place = draft / name.put_into(str(path))
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(name.put_into(text), encoding="utf-8")
            put_folder(draft, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}.") from error


def version_range(version: str) -> str:
    """The versions with the same first two numbers: ``>=0.1,<0.2`` for 0.1.3."""
    found = Version(version)
    # A version before the first of its range would not be in it.
    low = version if found.is_prerelease else f"{found.major}.{found.minor}"
    return f">={low},<{found.major}.{found.minor + 1}"


def _files(kinds: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Path within the folder and text of each file, in the words of the template."""
    for source in sorted(TEMPLATE.rglob("*")):
        # Ruff would take a pyproject.toml in here for its settings.
        path = source.relative_to(TEMPLATE).with_name(source.name.removesuffix(".in"))
        kind = path.stem.removeprefix("test_")
        if not source.is_file() or "__pycache__" in path.parts or path.parent == PRESETS:
            continue
        if kind in TRAIN and kind not in kinds:
            continue
        text = source.read_text(encoding="utf-8")
        if path.name == "__init__.py":
            text = _hooks(text, kinds)
        elif path.name == "README.md":
            text = _readme(text, kinds)
        elif path.name == "pyproject.toml":
            text = text.replace('"mmseq"]', f'"mmseq{version_range(__version__)}"]')
        yield path, text
    if "preset" in kinds:
        yield PRESETS / OWN, _preset(kinds)


def _hooks(text: str, kinds: Collection[str]) -> str:
    """The module with the hooks, registering those kinds alone."""
    head, components, commands = text.split("\n\n\n")
    chosen = [head]
    if set(kinds) != {"command"}:
        added = re.compile(r"    add\.(\w+)\(.*\n?")
        chosen.append(added.sub(lambda line: line[0] if line[1] in kinds else "", components))
    if "command" in kinds:
        chosen.append(commands)
    else:
        chosen[0] = head.replace("import click\n", "")
    return "\n\n\n".join(part.rstrip("\n") for part in chosen) + "\n"


def _readme(text: str, kinds: Collection[str]) -> str:
    """The page with the sections of those kinds, such as ``## Aux task `example` ``."""
    head, *sections = text.split("\n## ")
    told = [(section, section.partition(" `")[0].lower().replace(" ", "_")) for section in sections]
    kept = [section for section, kind in told if kind not in TRAIN or kind in kinds]
    return "\n## ".join([head, *kept])


def _preset(kinds: Collection[str]) -> str:
    """The preset: what the plugin does not bring is the engine's."""
    own, engine = (_sections(TEMPLATE / PRESETS / name) for name in (OWN, ENGINE))
    heads = own.pop(""), engine.pop("")
    chosen = [heads[0] if any(kind in IN_PRESET for kind in kinds) else heads[1]]
    for section, text in own.items():
        if SEVERAL.get(section.partition(".")[0], section) in kinds:
            chosen.append(text)
        elif section in engine:
            chosen.append(engine[section])
    return "\n\n".join(chosen) + "\n"


def _sections(path: Path) -> dict[str, str]:
    """Name -> text of the sections of a TOML file; "" for what stands before the first."""
    head, *rest = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n[")
    return {"": head, **{part.partition("]")[0]: f"[{part}" for part in rest}}
