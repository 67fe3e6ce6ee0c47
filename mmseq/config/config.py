"""A run as one TOML file: which components with which options, data, training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from mmseq.config.comments import commented, component_texts, settings_texts
from mmseq.config.dotted import dotted
from mmseq.config.layering import SEVERAL, SINGLE, Layers, parse_setting
from mmseq.config.places import absolute
from mmseq.config.schema import DataConfig, TrainConfig, section
from mmseq.errors import UserError
from mmseq.files import write_text
from mmseq.registry.entries import Entry
from mmseq.registry.plugins import registry

__all__ = ["Choice", "Config", "DataConfig", "TrainConfig", "parse_setting"]

HEAD = "Every setting of a run. mmseq train --config FILE repeats it."


@dataclass(frozen=True)
class Choice:
    """One chosen component with all its options."""

    entry: Entry
    options: Mapping[str, Any]
    weight: float = 1.0
    """Of an auxiliary task: its weight in the total"""

    @property
    def name(self) -> str:
        return self.entry.name


class Config:
    """A validated configuration. Make one with `from_layers`, `from_preset` or `from_file`."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        tables = deepcopy(dict(tables))
        for key, value in dotted(tables).items():
            if isinstance(value, str) and "\0" in value:
                raise UserError(f"{key}: {value!r} holds the character NUL; remove it.")
        Layers(tables).check_names()
        self.data: DataConfig = section(DataConfig, "data", tables["data"])
        self.train: TrainConfig = section(TrainConfig, "train", tables["train"])
        self.single: dict[str, Choice | None] = {}
        for kind in SINGLE:
            table = dict(tables[kind])
            name = table.pop("name")
            if kind == "image_encoder" and name == "none":
                if table:
                    raise UserError(f"image_encoder 'none' has no option '{next(iter(table))}'.")
                self.single[kind] = None
                continue
            entry = registry().get(kind, name)
            self.single[kind] = Choice(entry, entry.check_options(table))
        self.aux = self._several("aux", tables["aux"])
        self.callbacks = self._several("callbacks", tables["callbacks"])

    @staticmethod
    def _several(section: str, tables: Mapping[str, Any]) -> dict[str, Choice]:
        chosen: dict[str, Choice] = {}
        for name, table in tables.items():
            entry = registry().get(SEVERAL[section], name)
            options = entry.check_options(table)
            weight = options.pop("weight") if section == "aux" else 1.0
            if weight < 0:
                raise UserError(f"aux.{name}.weight: {weight!r} is below 0.")
            chosen[name] = Choice(entry, options, weight)
        return chosen

    def component(self, kind: str) -> Choice:
        """The chosen component of a kind that every run has."""
        choice = self.single[kind]
        if choice is None:
            raise UserError(f"{kind} is 'none', but this run needs one.")
        return choice

    @property
    def choices(self) -> list[Choice]:
        """Every chosen component."""
        single = [choice for choice in self.single.values() if choice is not None]
        return [*single, *self.aux.values(), *self.callbacks.values()]

    def tables(self) -> dict[str, Any]:
        """All of it, every default filled in. TOML has no null: None is left out."""
        tables: dict[str, Any] = {"data": self.data.model_dump()}
        for kind, choice in self.single.items():
            tables[kind] = {"name": choice.name, **choice.options} if choice else {"name": "none"}
        tables["aux"] = {n: {"weight": c.weight, **c.options} for n, c in self.aux.items()}
        tables["callbacks"] = {n: dict(c.options) for n, c in self.callbacks.items()}
        tables["train"] = self.train.model_dump()
        written: dict[str, Any] = _without_none(to_jsonable_python(tables))
        return written

    def save(self, path: Path) -> None:
        """A TOML file, paths in it absolute, every setting explained by a comment; a kill leaves
        what was there, or the whole of it.
        """
        write_text(path, commented(absolute(self.tables()), self.texts(), HEAD))

    def texts(self) -> dict[str, str]:
        """What each table and key of it is, by its dotted name."""
        texts = settings_texts()
        chosen = {kind: choice for kind, choice in self.single.items() if choice is not None}
        chosen |= {f"aux.{name}": choice for name, choice in self.aux.items()}
        chosen |= {f"callbacks.{name}": choice for name, choice in self.callbacks.items()}
        for table, choice in chosen.items():
            texts |= component_texts(table, choice.entry)
        return texts

    def replaced(self, changes: Mapping[str, Any]) -> Config:
        """A copy with dotted keys changed, ``{"train.seed": 3}``, or whole tables laid over it,
        ``{"fusion": {"name": "gate"}, "aux.boundary": {"weight": 0.5}}``.
        """
        layers = Layers(self.tables())
        layers.set(changes)
        return Config(layers.tables)

    def offline(self) -> tuple[Config, list[str]]:
        """A copy whose encoders take packaged weights, at the rates that suit these, and a line on
        each one that was changed. An encoder that downloads nothing stays.
        """
        changes: dict[str, Any] = {}
        lines = []
        for kind in ("text_encoder", "image_encoder"):
            if (choice := self.single[kind]) is None:
                continue
            packaged = choice.entry.load().offline
            new = {
                key: value[0] if isinstance(value, tuple) else value
                for key, value in packaged.items()
                if choice.options[key] not in (value if isinstance(value, tuple) else (value,))
            }
            if new.keys() - {"learning_rate"}:
                changes |= {f"{kind}.{key}": value for key, value in new.items()}
                told = [f"{key} = {new[key]}, not {choice.options[key]}" for key in new]
                lines.append(f"--offline: {kind}: {'; '.join(told)}.")
        return self.replaced(changes), lines

    @classmethod
    def from_layers(
        cls,
        preset: str | None = None,
        file: Path | None = None,
        flags: Mapping[str, Any] | None = None,
        aux: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Config:
        """Defaults < preset < config file < flags (whole tables and `aux`) < dotted settings.

        A layer that changes a component's name starts its table afresh: the options belonged to
        the old one.
        """
        for name, given, kind in (
            ("preset", preset, str),
            ("settings", settings, Mapping),
        ):
            if given is not None and not isinstance(given, kind):
                raise UserError(f"Config: {name} is {given!r}; give {_GIVEN[name]}.")
        layers = Layers()
        if preset:
            layers.add_preset(preset)
        if file:
            layers.add_file(file)
        layers.add(flags or {})
        if aux is not None:
            layers.choose_tasks(aux)
        layers.set(settings or {})
        layers.check_names()
        layers.require_found()
        try:
            return cls(layers.tables)
        except UserError as error:
            for source, add, value in (
                (f"preset '{preset}'", Layers.add_preset, preset),
                (str(file), Layers.add_file, file),
            ):
                if value and str(error) == _fault_of(add, value):
                    raise UserError(f"{source}: {error}") from error
            raise

    @classmethod
    def from_preset(cls, name: str, settings: Mapping[str, Any] | None = None) -> Config:
        """A preset with dotted settings changed."""
        return cls.from_layers(preset=name, settings=settings)

    @classmethod
    def from_file(cls, path: str | Path, settings: Mapping[str, Any] | None = None) -> Config:
        """A TOML file with dotted settings changed."""
        if not isinstance(path, str | PathLike):
            raise UserError(f"Config: file is {path!r}; give {_GIVEN['file']}.")
        return cls.from_layers(file=Path(path), settings=settings)


_GIVEN = {
    "preset": "the name of one (mmseq list preset)",
    "file": "the path of a TOML file",
    "settings": 'a dict of dotted keys: {"train.epochs": 3}',
}


def _fault_of(add: Callable[[Layers, Any], None], value: str | Path) -> str:
    """What is wrong with a preset or file by itself; empty: nothing."""
    layers = Layers()
    add(layers, value)
    try:
        Config(layers.tables)
    except UserError as error:
        return str(error)
    return ""


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value
