"""A run as one TOML file: which components with which options, data, training."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError, to_jsonable_python

from mmseq.config.layering import SEVERAL, SINGLE, Layers, parse_setting
from mmseq.config.places import absolute, expanded
from mmseq.errors import UserError, did_you_mean
from mmseq.files import write_toml
from mmseq.registry.entries import Entry
from mmseq.registry.meant import meant, way_to_write
from mmseq.registry.plugins import registry

__all__ = ["Choice", "Config", "DataConfig", "TrainConfig", "parse_setting"]

# What pydantic adds to the place of a value that may be of two types.
_BRANCHES = ("int", "constrained-int", "literal['auto']")

# pydantic does not read docstrings of fields unless asked to.
_STRICT = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)


def _device_name(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise PydanticCustomError("device", "write auto, cpu, cuda, cuda:0, cuda:1 … or mps")
    return name


Place = Annotated[str, AfterValidator(expanded)]


class DataConfig(BaseModel):
    """Section [data]."""

    model_config = _STRICT
    path: Place = "sample"
    """Folder with train, valid and test files, or "sample"."""
    splits: list[Literal["train", "valid", "test"]] = ["train", "valid", "test"]
    """Files to read: without test, a run never sees it."""
    image_folder: Place = ""
    """Folder of the pictures; empty: `images` in the data folder."""
    reader: str = "auto"
    """A registered reader; auto: by the file's ending."""
    columns: dict[str, int | str] = Field(default_factory=dict)
    """Columns of the files, `{word = 2, tag = 3}`: from 1, -1 the last, or names of the first line;
    empty: the word is the first, the tag the last."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Fields of JSON files, `{tags = "ner_tags", images = "photo"}`; empty: tokens, tags and
    images, or what others call them."""
    tag_names: list[str] = Field(default_factory=list)
    """Tags that are numbers in the files, by number from 0: `["O", "B-PER", "I-PER"]`."""
    scheme: Literal["auto", "bio", "bioes", "bmes", "iob1", "io"] = "auto"
    """Tagging scheme of the files; auto tells BIO, BIOES and BMES; io: types without prefix."""
    map: dict[str, str] = Field(default_factory=dict)
    """Types to rename, `OTHER = "MISC"`; to "O" drops a type."""
    images: Literal["lenient", "strict"] = "lenient"
    """strict: a missing or damaged picture is an error."""
    image_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of sentences whose pictures are hidden in training, drawn anew each epoch."""
    features: str = "auto"
    """Folder of the feature store; auto: the user's cache; off: keep features in memory."""
    cache: str = "auto"
    """Folder for sentences of large files; auto: the user's cache, for files from 64 MB; off: keep
    all in memory."""
    splitter: str = "auto"
    """What cuts plain strings: whitespace, tweet, tweet-split, punctuation or characters, alone;
    auto: the one that suits the training words, and what they teach beside it."""

    def store(self, key: Literal["features", "cache"], default: Path) -> Path | None:
        """The folder that `data.KEY` names: `default` for auto, None for off. `UserError` where it
        is empty, which would mean the current folder.
        """
        value = self.features if key == "features" else self.cache
        if not value:
            raise UserError(f"data.{key} is empty: give a folder, 'auto' or 'off'.")
        if value == "off":
            return None
        return default if value == "auto" else Path(value).expanduser()


class TrainConfig(BaseModel):
    """Section [train]."""

    model_config = _STRICT
    # numpy takes 32 bits, and each process adds its number.
    seed: int = Field(1, ge=0, lt=2**31)
    """Of everything random: equal seeds give equal weights."""
    epochs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Epochs in all, preparation included; auto: `steps`, or the text encoder's own number, more
    for few sentences and fewer for very many."""
    steps: int = Field(0, ge=0)
    """Optimiser steps in all, in place of epochs; validated 4 to 40 times. 0: as `epochs` says."""
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
    adversarial: float = Field(0.0, ge=0)
    """Size of the step by which word embeddings are moved to where the loss is higher, and
    learned from once more (about twice the time an epoch); 0: never. 1 suits BERT's kin."""
    precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    """auto: bf16 where a GPU has it, else full precision. fp16 is for GPUs."""
    device: Annotated[str, AfterValidator(_device_name)] = "auto"
    """auto, cpu, cuda, cuda:1 and so on, or mps; auto: the GPU where there is one."""
    checkpoint_steps: int = Field(0, ge=0)
    """A checkpoint every so many steps, beside the one at each epoch's end; 0: epochs only."""
    keep_last: bool = False
    """Keep the folder `last/` of a finished run."""
    init: Place = ""
    """A run whose weights to start from; where it knows other types, those of what is shared."""


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
        Layers(tables).check_names()
        self.data: DataConfig = _section(DataConfig, "data", tables["data"])
        self.train: TrainConfig = _section(TrainConfig, "train", tables["train"])
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
        """A TOML file, paths in it absolute; a kill leaves what was there, or the whole of it."""
        write_toml(path, absolute(self.tables()))

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
        return cls.from_layers(file=Path(path), settings=settings)


def _fault_of(add: Callable[[Layers, Any], None], value: str | Path) -> str:
    """What is wrong with a preset or file by itself; empty: nothing."""
    layers = Layers()
    add(layers, value)
    try:
        Config(layers.tables)
    except UserError as error:
        return str(error)
    return ""


def _section(model: type[Any], name: str, table: Mapping[str, Any]) -> Any:
    for key in table:
        if key not in model.model_fields:
            hint = did_you_mean(key, model.model_fields)
            known = ", ".join(model.model_fields)
            raise UserError(f"[{name}] has no key '{key}'.{hint} Its keys: {known}.")
    values = dict(table)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            key = str(fault["loc"][0])
            values[key] = meant(model.model_fields[key].annotation, values[key])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _BRANCHES)
        way = way_to_write(model.model_fields[str(first["loc"][0])].annotation, first["input"])
        raise UserError(f"{name}.{key}: {first['input']!r}: {first['msg']}.{way}") from error


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value
