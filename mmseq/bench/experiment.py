"""The runs of a plan, each with the key that says which experiment it is, whatever its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from mmseq import runs
from mmseq.bench.plan import DataSet, Override, Plan, Problems, System
from mmseq.checksums import images_sha256
from mmseq.config import Config
from mmseq.data import Split
from mmseq.errors import UserError
from mmseq.setup import load_data, with_epochs

PLACES = ("path", "image_folder", "features")
"""Of [data]: where things lie on this machine, which makes no other experiment of a run"""


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
    versions: Mapping[str, str]
    steps: int
    """Optimiser steps in all"""

    @property
    def row(self) -> str:
        """Name of its row: the system's, with the override's."""
        return f"{self.system.name} {self.override.name}".rstrip()

    @property
    def name(self) -> str:
        """Short and of its own, for files."""
        parts = [self.row.replace(" ", "-"), self.data.name, f"seed-{self.seed}", self.key[:10]]
        return "-".join(parts)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.row}, {self.data.name}, seed {self.seed}"


def experiments(plan: Plan, problems: Problems) -> list[Experiment]:
    """Every run of the plan whose system is installed, rows first, then data, then seeds.

    Whatever is wrong with any of them goes into `problems`.
    """
    _check(plan, problems)
    known: dict[DataSet, dict[str, Split]] = {}
    sums: dict[tuple[DataSet, tuple[str, ...]], dict[str, dict[str, str]]] = {}
    for data in plan.data:
        try:
            known[data] = load_data(_on(Config.from_layers(), data).data, runs_splits())
        except UserError as error:
            problems.add(str(error))
    found = []
    for system, override, data in _cells(plan):
        try:
            config, settings = _configured(plan, system, override, data)
        except UserError as error:
            text = str(error)
            problems.add(text if text.startswith(system.name) else f"{system.name}: {text}")
            continue
        if data not in known:
            continue
        chosen = tuple(config.data.splits)
        if (data, chosen) not in sums:
            sums[data, chosen] = {
                name: {
                    "sha256": split.sha256,
                    "images_sha256": images_sha256(split.examples),
                }
                for name, split in known[data].items()
                if name in chosen
            }
        sentences = len(known[data]["train"].examples) if "train" in known[data] else 0
        if not sentences:
            problems.add(f"{data.path}: no split 'train'.")
            continue
        train = config.train
        steps = ceil(ceil(sentences / train.batch_size) / train.accumulate) * train.epochs
        versions = {k: v for k, v in runs.component_versions(config).items() if k != "python"}
        for seed in plan.seeds:
            own = config.replaced({"train.seed": seed})
            key = _key(own, sums[data, chosen], versions)
            found.append(
                Experiment(
                    key,
                    system,
                    override,
                    data,
                    seed,
                    settings,
                    own,
                    sums[data, chosen],
                    versions,
                    steps,
                )
            )
    _check_distinct(found, problems)
    return found


def runs_splits() -> tuple[str, ...]:
    """The files of a data folder that may take part."""
    return ("train", "valid", "test")


def _cells(plan: Plan) -> Iterator[tuple[System, Override, DataSet]]:
    for system in plan.systems:
        if system.installed or not system.optional:
            for override in plan.overrides or (Override("", {}),):
                for data in plan.data:
                    yield system, override, data


def _configured(
    plan: Plan, system: System, override: Override, data: DataSet
) -> tuple[Config, dict[str, Any]]:
    """The config of a cell, and the settings that were laid on the system's preset or file."""
    settings = {**plan.settings, **system.settings, **override.settings}
    if "train.seed" in settings or "data.path" in settings:
        raise UserError("seeds and data of a plan have keys of their own: 'seeds', 'data'.")
    config = Config.from_layers(system.preset or None, system.config)
    if plan.offline:
        config, _ = config.offline()
    return with_epochs(_on(config.replaced(settings), data)), settings


def _on(config: Config, data: DataSet) -> Config:
    path = data.path if data.path == "sample" else str(Path(data.path).resolve())
    images = str(Path(data.images).resolve()) if data.images else config.data.image_folder
    return config.replaced({"data.path": path, "data.image_folder": images})


def _key(
    config: Config, checksums: Mapping[str, Mapping[str, str]], versions: Mapping[str, str]
) -> str:
    """SHA-256 of all that decides a run's figures."""
    tables = config.tables()
    tables["data"] = {k: v for k, v in tables["data"].items() if k not in PLACES}
    tables["train"].pop("keep_last")
    if config.train.init:
        weights = Path(config.train.init) / "model.safetensors"
        try:
            with weights.open("rb") as file:
                tables["train"]["init"] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"train.init: {weights}: {error.strerror}.") from error
    content = {"config": tables, "data": checksums, "versions": versions}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check(plan: Plan, problems: Problems) -> None:
    for what, there in (
        ("system: give presets or [[systems]]", plan.systems),
        ("data: give data folders or 'sample'", plan.data),
        ("seed: give seeds", plan.seeds),
    ):
        # What was misspelt has been told already.
        if not there and not problems.lines:
            problems.add(f"no {what}.")
    for what, names in (
        ("systems", [s.name for s in plan.systems]),
        ("data sets", [d.name for d in plan.data]),
        ("overrides", [o.name for o in plan.overrides]),
    ):
        for name in {n for n in names if names.count(n) > 1}:
            problems.add(f"two {what} are called '{name}'; give one another name.")
    rows = {f"{s.name} {o.name}".rstrip() for s, o, _ in _cells(replace(plan, data=plan.data[:1]))}
    if plan.baseline and plan.data and plan.baseline not in rows | {s.name for s in plan.systems}:
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
