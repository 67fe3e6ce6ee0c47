"""The runs of a plan, each with the key that says which experiment it is, whatever its folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mmseq.bench.before import first_key
from mmseq.bench.plan import DataSet, Override, Plan, Problems, System
from mmseq.config.config import Config, DataConfig
from mmseq.config.dotted import dotted
from mmseq.data.source import load_data
from mmseq.data.splits import require_split
from mmseq.errors import UserError
from mmseq.pictures.checksums import Contents
from mmseq.runs.folder import component_versions
from mmseq.runs.identity import WEIGHTS, by_content, contents_named, settings
from mmseq.runs.provenance import checksums_of, versions_of
from mmseq.training.rounds import rounds_of, with_length


@dataclass(frozen=True)
class Experiment:
    """One run of a plan."""

    key: str
    system: System
    override: Override
    data: DataSet
    seed: int
    settings: Mapping[str, Any]
    """On top of the preset, seed and places left out"""
    config: Config
    checksums: Mapping[str, Mapping[str, str]]
    """Split -> ``sha256``, ``images_sha256``"""
    contents: Mapping[str, str]
    """Setting that names a file or folder -> the checksum of its content"""
    versions: Mapping[str, str]
    steps: int
    """Optimiser steps in all"""

    @cached_property
    def first_key(self) -> str:
        """The key that benches gave it at first."""
        installed = component_versions(self.config)
        installed.pop("python")
        return first_key(self.config.tables(), self.checksums, installed)

    @property
    def reads_files(self) -> bool:
        """Whether an encoder or its first weights come from a file or folder outside packages."""
        values = dotted(self.config.tables())
        return any(not str(values[key]).startswith("pkg:") for key in self.contents)

    @property
    def row(self) -> str:
        """Name of its row: the system's, with the override's."""
        return f"{self.system.name} {self.override.name}".rstrip()

    @property
    def name(self) -> str:
        """Short and of its own, for files, whatever row and data are called."""
        return self._named(self.key)

    @property
    def first_name(self) -> str:
        """The name that it had in a bench begun with the first key."""
        return self._named(self.first_key)

    def _named(self, key: str) -> str:
        called = re.sub(r"[^\w.+=-]+", "-", f"{self.row}-{self.data.name}")
        # A file's name has 255 bytes, of which a letter may take four.
        return f"{called[:50]}-seed-{self.seed}-{key[:10]}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.row}, {self.data.name}, seed {self.seed}"


def experiments(plan: Plan, problems: Problems) -> list[Experiment]:
    """Every run of the plan whose system is installed: rows first, then data, then seeds.

    Whatever is wrong with any of them goes into `problems`.
    """
    _check(plan, problems)
    folders = _Folders()
    found: list[Experiment] = []
    unread = list(plan.data)
    for system, override, data in _cells(plan):
        settings = {**plan.settings, **system.settings, **override.settings}
        config = _configured(plan, system, settings, data, problems)
        if config is None:
            continue
        if data in unread:
            unread.remove(data)
        try:
            sentences, checksums = folders.facts(config.data)
            found += _of_each_seed(
                with_length(config, sentences),
                plan.seeds,
                system,
                override,
                data,
                settings,
                sentences,
                checksums,
            )
        except UserError as error:
            problems.add(str(error))
    for data in unread:
        # No run got as far as to read it, for other mistakes.
        try:
            folders.facts(_on(Config.from_layers(), data).data)
        except UserError as error:
            problems.add(str(error))
    _check_distinct(found, problems)
    return found


class _Folders:
    """Data folders, each read once for all runs that read it alike."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, dict[str, dict[str, str]]] | UserError] = {}
        self._pictures: Contents = {}

    def facts(self, data: DataConfig) -> tuple[int, dict[str, dict[str, str]]]:
        """Training sentences, and of each split its checksums. `UserError` for bad data."""
        own = json.dumps(data.model_dump(), sort_keys=True)
        if own not in self._known:
            try:
                self._known[own] = self._read(data)
            except UserError as error:
                self._known[own] = error
        found = self._known[own]
        if isinstance(found, UserError):
            raise found
        return found

    def _read(self, data: DataConfig) -> tuple[int, dict[str, dict[str, str]]]:
        splits = load_data(data, data.splits)
        train = require_split(splits, "train", Path(data.path))
        return len(train.examples), checksums_of(splits, self._pictures)


def _of_each_seed(
    config: Config,
    seeds: Sequence[int],
    system: System,
    override: Override,
    data: DataSet,
    settings: Mapping[str, Any],
    sentences: int,
    checksums: Mapping[str, Mapping[str, str]],
) -> Iterator[Experiment]:
    # What does not hang on the seed is looked up once: there may be thousands.
    versions = versions_of(config)
    _require_weights(config.train.init)
    contents = contents_named(config.tables())
    steps = rounds_of(config.train, sentences).total
    for seed in seeds:
        own = config.replaced({"train.seed": seed})
        yield Experiment(
            _key(own, contents, checksums, versions),
            system,
            override,
            data,
            seed,
            settings,
            own,
            checksums,
            contents,
            versions,
            steps,
        )


def _cells(plan: Plan) -> Iterator[tuple[System, Override, DataSet]]:
    for system in plan.systems:
        if system.installed or not system.optional:
            for override in plan.overrides or (Override("", {}),):
                for data in plan.data:
                    yield system, override, data


def _configured(
    plan: Plan, system: System, settings: Mapping[str, Any], data: DataSet, problems: Problems
) -> Config | None:
    """The config of a cell; None, and every cause among the problems, where it cannot be."""
    if "train.seed" in settings or "data.path" in settings:
        problems.add(f"{system.name}: write seeds and data with the plan's keys 'seeds', 'data'.")
        return None
    try:
        config = Config.from_layers(system.preset or None, system.config)
        if plan.offline:
            config, _ = config.offline()
    except UserError as error:
        problems.add(f"{system.name}: {error}")
        return None
    try:
        return _on(config.replaced(settings), data)
    except UserError as error:
        for line in _each_alone(config, settings) or [str(error)]:
            problems.add(f"{system.name}: {line}")
        return None


def _each_alone(config: Config, settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with each setting by itself; components are named first, as they come first."""
    names = {key: value for key, value in settings.items() if key.endswith(".name")}
    lines = []
    for key, value in settings.items():
        try:
            config.replaced({**names, key: value})
        except UserError as error:
            lines.append(str(error))
    return list(dict.fromkeys(lines))


def _on(config: Config, data: DataSet) -> Config:
    images = str(Path(data.images).resolve()) if data.images else config.data.image_folder
    return config.replaced({"data.path": data.path, "data.image_folder": images})


def _key(
    config: Config,
    contents: Mapping[str, str],
    checksums: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, str],
) -> str:
    """SHA-256 of all that decides a run's figures."""
    deciding = settings(by_content(config.tables(), contents), seed=True)
    content = {"settings": deciding, "data": checksums, "versions": versions}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_weights(run: str) -> None:
    """`UserError` where the run to start from has none."""
    weights = Path(run) / WEIGHTS
    if run:
        try:
            weights.open("rb").close()
        except OSError as error:
            raise UserError(f"train.init: {weights}: {error.strerror}.") from error


def _check(plan: Plan, problems: Problems) -> None:
    for what, there in (
        ("system: give presets or [[systems]]", plan.systems),
        ("data: give data folders or 'sample'", plan.data),
        ("seed: give seeds", plan.seeds),
    ):
        # What was misspelt has been reported already.
        if not there and not problems.lines:
            problems.add(f"no {what}.")
    for what, names in (
        ("systems", [s.name for s in plan.systems]),
        ("data sets", [d.name for d in plan.data]),
        ("overrides", [o.name for o in plan.overrides]),
    ):
        for name in {n for n in names if names.count(n) > 1}:
            problems.add(f"two {what} are called '{name}'; give one another name.")
    pairs = ((s.name, o.name) for s, o, _ in _cells(replace(plan, data=plan.data[:1])))
    rows: dict[str, tuple[str, str]] = {}
    for pair in dict.fromkeys(pairs):
        row = " ".join(pair).rstrip()
        if rows.setdefault(row, pair) != pair:
            problems.add(f"two rows are called '{row}': rename a system or an override.")
    if plan.baseline and plan.data and plan.baseline not in rows:
        problems.add(f"baseline: no system '{plan.baseline}'; there are {', '.join(sorted(rows))}.")


def _check_distinct(found: list[Experiment], problems: Problems) -> None:
    """Two rows with one key would be one experiment under two names."""
    first: dict[str, Experiment] = {}
    for experiment in found:
        other = first.setdefault(experiment.key, experiment)
        if other.row != experiment.row or other.data != experiment.data:
            problems.add(
                f"'{other.row}' on {other.data.name} and '{experiment.row}' on "
                f"{experiment.data.name} are the same experiment; leave one out."
            )
