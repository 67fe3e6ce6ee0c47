"""A run as one TOML file: which components with which options, data, training."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmseq.errors import UserError, closest, unknown
from mmseq.plugins import registry
from mmseq.registry import Entry

SINGLE = ("text_encoder", "image_encoder", "fusion", "decoder", "weighting")
"""Tables that choose one component by `name`."""
SEVERAL = {"aux": "aux_task", "callbacks": "callback"}
"""Tables that hold one table a component: section -> kind."""
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

# pydantic does not read docstrings of fields unless told to.
_STRICT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class DataConfig(BaseModel):
    """Section [data]."""

    model_config = _STRICT
    path: str = "sample"
    """Folder with train, valid and test files, or "sample"."""
    image_folder: str = ""
    """Folder of the pictures; empty: `images` in the data folder."""
    reader: str = "auto"
    """A registered reader; auto: by the file's ending."""
    scheme: Literal["auto", "bio", "bioes", "iob1"] = "auto"
    """Tagging scheme of the files; auto tells BIO from BIOES."""
    map: dict[str, str] = Field(default_factory=dict)
    """Types to rename, `OTHER = "MISC"`; to "O" drops a type."""
    images: Literal["lenient", "strict"] = "lenient"
    """strict: a missing or damaged picture is an error."""
    image_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of sentences whose pictures are hidden in training, drawn anew each epoch."""
    features: str = "auto"
    """Folder of the feature store; auto: the user's cache; off: keep features in memory."""
    splitter: str = "auto"
    """Word splitter for plain strings; auto: the one that suits the training words."""


class TrainConfig(BaseModel):
    """Section [train]."""

    model_config = _STRICT
    seed: int = Field(1, ge=0)
    epochs: int = Field(0, ge=0)
    """Epochs in all, preparation included; 0: the text encoder's own number."""
    batch_size: int = Field(32, ge=1)
    """Sentences a process and a micro-batch."""
    accumulate: int = Field(1, ge=1)
    """Micro-batches to an optimiser step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Rate of everything but the encoders, which have their own."""
    weight_decay: float = Field(0.01, ge=0)
    """Not on biases and norms."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which rates rise linearly, before they fall linearly to 0."""
    gradient_clip: float = Field(1.0, ge=0)
    """Largest gradient norm; 0: no limit."""
    precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    """auto: bf16 where a GPU has it, else full precision."""
    device: Literal["auto", "cpu"] = "auto"
    checkpoint_steps: int = Field(0, ge=0)
    """A checkpoint every so many steps, beside the one at each epoch's end; 0: epochs only."""
    keep_last: bool = False
    """Keep the folder `last/` of a finished run."""
    init: str = ""
    """A run whose weights to start from."""


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
        _check_names(tables)
        self.data: DataConfig = _section(DataConfig, "data", tables["data"])
        self.train: TrainConfig = _section(TrainConfig, "train", tables["train"])
        self.single: dict[str, Choice | None] = {}
        for kind in SINGLE:
            table = dict(tables[kind])
            name = table.pop("name")
            if kind == "image_encoder" and name == "none":
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
            options = dict(table)
            weight = 1.0
            if section == "aux":
                weight = options.pop("weight", entry.load().weight)
                if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
                    raise UserError(f"aux.{name}.weight: {weight!r} is not a number >= 0.")
            chosen[name] = Choice(entry, entry.check_options(options), float(weight))
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
        written: dict[str, Any] = _without_none(tables)
        return written

    def save(self, path: Path) -> None:
        path.write_text(tomli_w.dumps(self.tables()), encoding="utf-8")

    def replaced(self, changes: Mapping[str, Any]) -> Config:
        """A copy with dotted keys changed: ``{"train.seed": 3}``."""
        tables = self.tables()
        for key, value in changes.items():
            _assign(tables, key, value)
        return Config(tables)

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
        tables = deepcopy(DEFAULTS)
        if preset:
            _merge(tables, read_toml(registry().get("preset", preset).path))
        if file:
            _merge(tables, read_toml(file))
        _merge(tables, flags or {})
        if aux is not None:
            for name in aux:
                registry().get("aux_task", name)
            tables["aux"] = {name: tables["aux"].get(name, {}) for name in aux}
        for key, value in (settings or {}).items():
            _assign(tables, key, value)
        return cls(tables)

    @classmethod
    def from_preset(cls, name: str, settings: Mapping[str, Any] | None = None) -> Config:
        """A preset with dotted settings changed."""
        return cls.from_layers(preset=name, settings=settings)

    @classmethod
    def from_file(cls, path: str | Path, settings: Mapping[str, Any] | None = None) -> Config:
        """A TOML file with dotted settings changed."""
        return cls.from_layers(file=Path(path), settings=settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; `UserError` with file and line where it is missing or broken."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}.") from error


def parse_setting(text: str) -> tuple[str, Any]:
    """``section.key=value`` with a TOML value; a bare word is a string."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise UserError(f"--set {text}: write --set section.key=value.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _merge(tables: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for section, table in layer.items():
        _check_section(section, table)
        if section in SINGLE:
            old = tables[section]
            same = table.get("name", old["name"]) == old["name"]
            tables[section] = {**(old if same else {}), **table}
        elif section in SEVERAL:
            for name, options in table.items():
                if not isinstance(options, Mapping):
                    raise UserError(f"[{section}] {name} = {options!r}: write [{section}.{name}].")
                tables[section][name] = {**tables[section].get(name, {}), **options}
        else:
            tables[section].update(table)


def _assign(tables: dict[str, Any], key: str, value: Any) -> None:
    section, _, rest = key.partition(".")
    _check_section(section, {})
    if section in SEVERAL:
        name, _, rest = rest.partition(".")
        if name not in tables[section]:
            registry().get(SEVERAL[section], name)
            flag = f" (--aux {','.join([*tables['aux'], name])})" if section == "aux" else ""
            raise UserError(f"{key}: '{name}' is not part of this run; add it first{flag}.")
        if rest:
            tables[section][name][rest] = value
            return
    elif section == "data" and rest.startswith("map."):
        tables[section].setdefault("map", {})[rest.removeprefix("map.")] = value
        return
    elif rest == "name":
        _merge(tables, {section: {"name": value}})
        return
    elif rest:
        tables[section][rest] = value
        return
    raise UserError(f"{key}: names no key; write section.key.")


def _check_section(section: str, table: Any) -> None:
    if section not in SECTIONS:
        raise unknown("config section", section, SECTIONS)
    if not isinstance(table, Mapping):
        raise UserError(f"config: '{section}' is a section, write [{section}].")


def _check_names(tables: Mapping[str, Any]) -> None:
    """Every name before any component is imported: a misspelt name is told at once."""
    for kind in SINGLE:
        name = tables[kind].get("name")
        if not isinstance(name, str):
            raise UserError(f"{kind}.name: {name!r} is not a string.")
        if kind == "image_encoder" and name == "none":
            continue
        registry().get(kind, name)
    for section, kind in SEVERAL.items():
        for name in tables[section]:
            registry().get(kind, name)


def _section(model: type[Any], name: str, table: Mapping[str, Any]) -> Any:
    for key in table:
        if key not in model.model_fields:
            guess = closest(key, model.model_fields)
            hint = f" Did you mean '{guess}'?" if guess else ""
            known = ", ".join(model.model_fields)
            raise UserError(f"[{name}] has no key '{key}'.{hint} Its keys: {known}.")
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{name}.{key}: {first['input']!r}: {first['msg']}.") from error


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value
