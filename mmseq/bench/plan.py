"""A plan: which systems on which data with which seeds, from a TOML file or from flags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmseq.config.layering import as_now
from mmseq.config.places import placed
from mmseq.errors import UserError, did_you_mean, unknown
from mmseq.files import at_home, read_toml
from mmseq.registry.plugins import registry

KEYS = {
    "title": str,
    "presets": list,
    "systems": list,
    "data": list,
    "seeds": (list, str, int),
    "offline": bool,
    "set": dict,
    "overrides": list,
    "baseline": str,
    "published": str,
    "published_data": str,
}
SYSTEM_KEYS = {
    "name": str,
    "preset": str,
    "config": str,
    "title": str,
    "set": dict,
    "published": str,
    "optional": bool,
}
DATA_KEYS = {"path": str, "name": str, "images": str}
OVERRIDE_KEYS = {"name": str, "set": dict}
NAME = re.compile(r"[\w.+-]+( [\w.+=-]+)*")


@dataclass(frozen=True)
class System:
    """A row: a preset or a config file, with settings of its own."""

    name: str
    preset: str = ""
    config: Path | None = None
    title: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""
    """Its name among published figures"""
    optional: bool = False
    """A preset that no installed plugin has is named in the table, and no mistake"""

    @property
    def installed(self) -> bool:
        """Whether its preset is installed."""
        return not self.preset or self.preset in registry().names("preset")


@dataclass(frozen=True)
class DataSet:
    """A data folder with the name that results and tables call it by."""

    name: str
    path: str
    """``sample`` or a folder"""
    images: str = ""


@dataclass(frozen=True)
class Override:
    """Settings under a name: a further dimension of the product."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What `mmseq bench` is to run: systems x overrides x data x seeds."""

    title: str = ""
    systems: tuple[System, ...] = ()
    data: tuple[DataSet, ...] = ()
    seeds: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """For all runs"""
    overrides: tuple[Override, ...] = ()
    offline: bool = False
    """Packaged encoders, as `mmseq train --offline`"""
    baseline: str = ""
    """The row that the others are compared with; empty: no comparison"""
    published: str = ""
    """Registered published figures, for the table"""
    published_data: str = ""
    """The data set whose published figures stand beside, where it cannot be told by checksum"""


class Problems:
    """All that is wrong with a plan, collected before anything runs."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str) -> None:
        """One more, once."""
        if text not in self.lines:
            self.lines.append(text)


def find_plan(given: str) -> Path:
    """The file of a plan: a path, or the name of a registered plan. `UserError` if neither."""
    path = Path(given)
    if path.is_file():
        return path
    names = registry().names("plan")
    if given in names:
        return registry().get("plan", given).path
    hint = did_you_mean(given, names, "the plan '{}'".format)
    raise UserError(
        f"No plan '{given}': neither a TOML file nor a registered plan.{hint} "
        f"Registered: {', '.join(names) or 'none'}."
    )


def read_plan(path: Path, problems: Problems) -> Plan:
    """The plan in a TOML file; paths in it are relative to it. Mistakes go into `problems`."""
    table = read_toml(path)
    table = checked("the plan", table, KEYS, problems)
    systems = [
        _system(entry, path.parent, problems)
        for entry in _tables("systems", table.get("systems", []), problems)
    ]
    for name in table.get("presets", []):
        systems.append(System(str(name), str(name), title=str(name), published=str(name)))
    data = [_data(entry, path.parent, problems) for entry in table.get("data", [])]
    overrides = [
        Override(str(t.get("name", "")), _settings(t, path.parent))
        for t in (
            checked("[[overrides]]", entry, OVERRIDE_KEYS, problems)
            for entry in _tables("overrides", table.get("overrides", []), problems)
        )
    ]
    return Plan(
        title=table.get("title", ""),
        systems=tuple(systems),
        data=tuple(d for d in data if d is not None),
        seeds=parse_seeds(table.get("seeds", ()), problems),
        settings=_settings(table, path.parent),
        overrides=tuple(overrides),
        offline=table.get("offline", False),
        baseline=table.get("baseline", ""),
        published=table.get("published", ""),
        published_data=table.get("published_data", ""),
    )


def with_flags(
    plan: Plan,
    *,
    presets: Sequence[str] = (),
    data: Sequence[str] = (),
    seeds: str = "",
    settings: Mapping[str, Any] | None = None,
    problems: Problems,
) -> Plan:
    """The plan with what flags say in place of its own systems, data and seeds, and on its
    settings.
    """
    if presets:
        own = {system.preset: system for system in plan.systems}
        plan = replace(
            plan,
            systems=tuple(
                own.get(name, System(name, name, title=name, published=name)) for name in presets
            ),
        )
    if data:
        found = [_data(entry, Path(), problems) for entry in data]
        plan = replace(plan, data=tuple(d for d in found if d is not None))
    if seeds:
        plan = replace(plan, seeds=parse_seeds(seeds, problems))
    return replace(plan, settings={**plan.settings, **(settings or {})})


def only(plan: Plan, systems: Sequence[str], images: str, problems: Problems) -> Plan:
    """The plan with these of its systems alone (empty: all), and with the pictures of all its data
    in the folder `images` (empty: where the plan has them).
    """
    if systems:
        known = [system.name for system in plan.systems]
        for name in systems:
            if name not in known:
                problems.add(str(unknown("system", name, known)))
        kept = tuple(system for system in plan.systems if system.name in systems)
        # Without the row of the baseline there is no comparison with it.
        baseline = plan.baseline if plan.baseline.split(" ")[0] in systems else ""
        plan = replace(plan, systems=kept, baseline=baseline)
    if images:
        folder = str(at_home(images))
        if not Path(folder).is_dir():
            problems.add(f"--images {images}: no such folder.")
        else:
            plan = replace(plan, data=tuple(replace(data, images=folder) for data in plan.data))
    return plan


def parse_seeds(given: Any, problems: Problems) -> tuple[int, ...]:
    """``"1-5"``, ``"1,3,7-9"``, ``[1, 2]`` or ``3`` as numbers, each once."""
    parts = given.split(",") if isinstance(given, str) else given
    seeds: list[int] = []
    for part in [parts] if isinstance(parts, int) else parts:
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", str(part))
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last >= 2**31 or last - first > 10_000:
            problems.add(f"seeds: {part!r} is not a seed or a range; write 1-5 or 1,3,7.")
            continue
        seeds += range(first, last + 1)
    for seed in sorted(s for s, times in Counter(seeds).items() if times > 1):
        problems.add(f"seeds: {seed} is there twice; name it once.")
    return tuple(dict.fromkeys(seeds))


def checked(
    what: str, table: Mapping[str, Any], keys: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """The keys of a table that are known and of the right type; the rest are problems."""
    good = {}
    for key, value in table.items():
        if key not in keys:
            hint = did_you_mean(key, keys)
            problems.add(f"{what} has no key '{key}'.{hint} Its keys: {', '.join(keys)}.")
        elif not isinstance(value, keys[key]) or (
            isinstance(value, bool) and keys[key] is not bool
        ):
            problems.add(f"{what}: {key} = {value!r} is not of the right type.")
        else:
            good[key] = value
    return good


def _tables(what: str, entries: Sequence[Any], problems: Problems) -> list[Mapping[str, Any]]:
    """The entries that are tables."""
    for entry in entries:
        if not isinstance(entry, Mapping):
            problems.add(f"{what}: {entry!r} is not a table; write [[{what}]].")
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _system(entry: Mapping[str, Any], folder: Path, problems: Problems) -> System:
    table = checked("[[systems]]", entry, SYSTEM_KEYS, problems)
    preset = table.get("preset", "")
    name = table.get("name", preset)
    if not name or not NAME.fullmatch(name):
        problems.add(f"[[systems]]: the name {name!r} must be words of letters, digits, - and _.")
    config = folder / at_home(table["config"]) if "config" in table else None
    return System(
        name,
        preset,
        config,
        table.get("title", name),
        _settings(table, folder),
        table.get("published", preset),
        table.get("optional", False),
    )


def _settings(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings of a table of a file in `folder`."""
    return placed(as_now(table.get("set", {})), folder)


def _data(entry: Any, folder: Path, problems: Problems) -> DataSet | None:
    table = {"path": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping):
        problems.add(f"data: {entry!r} is not a folder; write a path, or a table with path.")
        return None
    table = checked("data", table, DATA_KEYS, problems)
    path = table.get("path", "")
    if not path:
        problems.add(f"data: {entry!r} has no path.")
        return None
    if path != "sample":
        # Whole, since "./sample" is a folder.
        path = str((folder / at_home(path)).resolve())
    images = str(folder / at_home(table["images"])) if "images" in table else ""
    name = Path(path).name
    return DataSet(table.get("name", name), path, images)
