"""What makes the trials of a study comparable, so that it cannot change on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmseq.config.dotted import dotted
from mmseq.data.source import load_data
from mmseq.data.splits import require_split
from mmseq.runs.identity import by_content, settings, versions, without_places
from mmseq.runs.provenance import checksums_of, versions_of
from mmseq.tune.search import Method
from mmseq.tune.space import TRIAL_SPLITS, Space


def trial_data(space: Space) -> dict[str, dict[str, str]]:
    """Checksums of the files and pictures that trials see. `UserError` where one is missing."""
    data = space.base.data
    splits = load_data(data, TRIAL_SPLITS)
    for name in TRIAL_SPLITS:
        require_split(splits, name, Path(data.path))
    return checksums_of(splits)


def begun_with(
    space: Space, method: Method, seed: int, data: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """All that a study is begun with, its number of trials and the places of files left out."""
    installed: dict[str, str] = {}
    for config in space.chosen():
        installed |= versions_of(config)
    config = space.base.replaced({"data.splits": list(TRIAL_SPLITS)})
    return {
        "space": {parameter.key: parameter.to_json() for parameter in space.parameters},
        "config": by_content(without_places(config.tables())),
        "method": asdict(method),
        "seed": seed,
        "data": data,
        "versions": installed,
    }


def comparable(begun: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a study was begun with, dotted, what decides its trials' figures: equal in studies
    that are one, whenever they were begun.
    """
    config = by_content(begun.get("config", {}))
    deciding = {f"config.{k}": value for k, value in settings(config, seed=True).items()}
    rest = {key: value for key, value in begun.items() if key not in ("config", "versions")}
    return dotted({**rest, "versions": versions(config, begun.get("versions", {}))}) | deciding
