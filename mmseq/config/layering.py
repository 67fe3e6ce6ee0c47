"""The tables of a config before they are validated: layers from presets, files, flags, settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from mmseq.config.places import placed
from mmseq.config.schema import DataConfig, TrainConfig
from mmseq.errors import UserError, unknown
from mmseq.files import DEEPEST, depth, read_toml, shorten
from mmseq.registry.meant import as_written
from mmseq.registry.plugins import registry

SINGLE = ("text_encoder", "image_encoder", "fusion", "decoder", "weighting")
"""Tables that choose one component by `name`."""


SEVERAL = {"aux": "aux_task", "callbacks": "callback"}
"""Tables that hold one table a component: section -> kind."""


DATA_TABLES = ("map", "columns", "fields")
"""Keys of [data] that are tables themselves"""


SECTIONS = (*SINGLE, *SEVERAL, "data", "train")


DEFAULTS: dict[str, Any] = {
    "data": {},
    "text_encoder": {"name": "transformer"},
    "image_encoder": {"name": "timm"},
    "fusion": {"name": "gate"},
    "aux": {},
    "decoder": {"name": "crf"},
    "weighting": {"name": "fixed"},
    "callbacks": {"history": {}},
    "train": {},
}


@dataclass(frozen=True)
class Moved:
    """A relative path of a file."""

    file: Path
    key: str
    written: str
    path: str
    """What it means, absolute"""


class Layers:
    """Tables that begin with the defaults and take layer upon layer.

    A layer that changes a component's name starts its table afresh: the options belonged to the
    old one.
    """

    def __init__(self, tables: Mapping[str, Any] = DEFAULTS) -> None:
        self.tables: dict[str, Any] = deepcopy(dict(tables))
        self._moved: list[Moved] = []
        # (section, name) of a component -> the preset or file that names it.
        self._named_by: dict[tuple[str, str], str] = {}

    def add_preset(self, name: str) -> None:
        """Lay the preset of that name over what there is."""
        entry = registry().get("preset", name)
        self.add(as_now(read_toml(entry.path)), entry.full_title)

    def add_file(self, path: Path) -> None:
        """Lay a TOML file over what there is. Relative paths in it are relative to it; in a run's
        own config, whose data's paths are absolute, to the current folder.
        """
        table = as_now(read_toml(path))
        if not (path.parent / "labels.json").is_file():
            written, table = table, placed(table, path.parent)
            self._moved += [
                Moved(path, f"{section}.{key}", str(value), str(table[section][key]))
                for section in ("data", "train")
                if isinstance(own := written.get(section), Mapping)
                for key, value in own.items()
                if table[section][key] != value
            ]
        self.add(table, str(path))

    def require_found(self) -> None:
        """`UserError` for a path of a file that is not there beside it, but in the current folder:
        other data of that name are not read in silence.
        """
        for moved in self._moved:
            section, _, key = moved.key.partition(".")
            kept = self.tables[section].get(key) == moved.path
            if kept and not Path(moved.path).exists() and Path(moved.written).exists():
                here = str(Path(moved.written).resolve())
                raise UserError(
                    f"{moved.file}: {moved.key} = {moved.written!r}: a path in a file is relative "
                    f"to that file, and there is no {moved.path}; for the one here write {here!r}."
                )

    def add(self, layer: Mapping[str, Any], source: str = "") -> None:
        """Lay tables over what there is; messages about them begin with `source`."""
        try:
            self._add(layer, source)
        except UserError as error:
            raise _from(source, error) from error

    def _add(self, layer: Mapping[str, Any], source: str) -> None:
        for section, table in layer.items():
            _check_section(section)
            if not isinstance(table, Mapping):
                raise UserError(f"'{section}' is a section: write [{section}].")
            if section in SINGLE:
                old = self.tables[section]
                if "name" in table:
                    self._named_by[section, str(table["name"])] = source
                same = table.get("name", old["name"]) == old["name"]
                self.tables[section] = {**(old if same else {}), **table}
            elif section in SEVERAL:
                for name, options in table.items():
                    if not isinstance(options, Mapping):
                        form = f"[{section}.{name}]"
                        raise UserError(f"[{section}] {name} = {options!r}: write {form}.")
                    self._named_by[section, name] = source
                    old = self.tables[section].get(name, {})
                    self.tables[section][name] = {**old, **options}
            else:
                self.tables[section] = {**self.tables[section], **table}

    def choose_tasks(self, names: Sequence[str]) -> None:
        """These auxiliary tasks and no other; those that stay keep their tables."""
        for name in names:
            registry().get("aux_task", name)
            if names.count(name) > 1:
                raise UserError(f"aux task '{name}' is named twice; name it once.")
        self.tables["aux"] = {name: self.tables["aux"].get(name, {}) for name in names}

    def set(self, settings: Mapping[str, Any]) -> None:
        """Change dotted keys: ``{"train.seed": 3}``, or whole tables: ``{"fusion": {"name": …}}``.

        Tables and names first, since they clear options.
        """

        def late(key: str) -> bool:
            return not (key.endswith(".name") or isinstance(settings[key], Mapping))

        for key in sorted(settings, key=late):
            self._set(key, deepcopy(settings[key]))

    def _set(self, key: str, value: Any) -> None:
        section, _, rest = key.partition(".")
        _check_section(section)
        whole = not rest or (section in SEVERAL and "." not in rest)
        if isinstance(value, Mapping) and whole:
            self.add({section: {rest: value} if rest else value})
            return
        if section in SEVERAL:
            name, _, rest = rest.partition(".")
            table = self._part(key, section, name)
        elif section == "data" and rest.partition(".")[0] in DATA_TABLES:
            name, dot, inner = rest.partition(".")
            table = self.tables["data"]
            if dot:
                old = table.get(name, {})
                table[name] = table = dict(old) if isinstance(old, Mapping) else old
                rest = inner
        elif section in SINGLE and rest == "name":
            self.add({section: {"name": value}})
            return
        else:
            table = self.tables[section]
        option, dot, inner = rest.partition(".")
        if dot and section in (*SINGLE, *SEVERAL) and isinstance(table, dict):
            # An option that is a table itself.
            old = table.get(option, {})
            table[option] = table = dict(old) if isinstance(old, Mapping) else old
            rest = inner
        if not rest:
            raise UserError(f"{key}: names no key; write {key.rstrip('.')}.KEY=VALUE.")
        if not isinstance(table, dict):
            raise UserError(f"{key}: {table!r} holds no keys.")
        table[rest] = value

    def _part(self, key: str, section: str, name: str) -> Any:
        """The table of one task or callback. A callback is added, having no flag of its own."""
        if name not in self.tables[section]:
            registry().get(SEVERAL[section], name)
            if section == "aux":
                flag = ",".join([*self.tables["aux"], name])
                raise UserError(f"{key}: '{name}' is not a task of this run; add it: --aux {flag}.")
            self.tables[section][name] = {}
        return self.tables[section][name]

    def check_names(self) -> None:
        """Look up every name before any component is imported, to report misspelt ones at once."""
        for section in SINGLE:
            name = self.tables[section].get("name")
            if not isinstance(name, str):
                raise UserError(f"{section}.name: {name!r} is not a string.")
            if (section, name) != ("image_encoder", "none"):
                self._check_name(section, section, name)
        for section, kind in SEVERAL.items():
            for name in self.tables[section]:
                self._check_name(section, kind, name)
        reader = self.tables["data"].get("reader", "auto")
        if isinstance(reader, str) and reader != "auto":
            registry().get("reader", reader)

    def _check_name(self, section: str, kind: str, name: str) -> None:
        try:
            registry().get(kind, name)
        except UserError as error:
            raise _from(self._named_by.get((section, name), ""), error) from error


def parse_setting(text: str) -> tuple[str, Any]:
    """``section.key=value`` with a TOML value; a bare word is a string, None and null are None."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        own = f", such as --set {_full(key)}={value}" if equals and key else ""
        raise UserError(f"--set {text}: write --set section.key=value{own}.")
    key, bare = key.strip(), value.strip()
    if bare in ("None", "null"):
        return key, None
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
    # Of a number with thousands of digits, and of lists in lists.
    except (ValueError, RecursionError) as error:
        raise UserError(f"--set {shorten(text)}: no setting has such a value.") from error
    if key.count(".") > DEEPEST or depth(found) > DEEPEST:
        raise UserError(f"--set {shorten(text)}: no setting lies more than {DEEPEST} deep.")
    # No setting is a date, but a folder may be called by one.
    return key, bare if isinstance(found, date | time) else as_written(found, bare)


def _full(key: str) -> str:
    """A dotted key that one without a section may mean."""
    key = key.strip()
    if key in SINGLE:
        return f"{key}.name"
    if key in SEVERAL or key in ("data", "train"):
        return f"{key}.KEY"
    if key in TrainConfig.model_fields:
        return f"train.{key}"
    return f"data.{key}" if key in DataConfig.model_fields else f"fusion.{key}"


def as_now(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables, or dotted settings, of a file that may be of an earlier version: 0 epochs meant auto.

    False, which is 0 in Python, stays what it is.
    """
    found = dict(tables)
    if found.get("train.epochs") == 0 and found["train.epochs"] is not False:
        found["train.epochs"] = "auto"
    train = found.get("train")
    if isinstance(train, Mapping) and train.get("epochs") == 0 and train["epochs"] is not False:
        found["train"] = {**train, "epochs": "auto"}
    return found


def _check_section(section: str) -> None:
    if section not in SECTIONS:
        raise unknown("config section", section, SECTIONS)


def _from(source: str, error: UserError) -> UserError:
    """The error, preceded by the preset or file that it is in."""
    return UserError(f"{source}: {error}") if source else error
