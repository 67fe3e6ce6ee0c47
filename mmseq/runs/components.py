"""Who provided a run's components: written down, and held to what can be installed."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import InvalidVersion, Version

from mmseq.config.config import Config
from mmseq.errors import UserError
from mmseq.files import read_json
from mmseq.registry.kinds import KINDS
from mmseq.shapes import Shape, Text, fault, shown

_DISTRIBUTION = re.compile(r"[A-Z0-9]([A-Z0-9._-]{0,98}[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_LONGEST = 60
"""Characters of a version"""
UNTOLD = "?"
"""In the place of a version that a distribution does not tell"""


class ComponentRecord(Shape):
    """A line of components.json; further keys are left alone."""

    kind: Text
    name: Text
    distribution: Text
    version: Text


def component_records(config: Config) -> list[dict[str, str]]:
    """Who provided what, so that a reader of the run knows what to install."""
    return [
        {
            "kind": choice.entry.kind,
            "name": choice.name,
            "distribution": choice.entry.distribution,
            "version": choice.entry.version,
        }
        for choice in config.choices
    ]


def read_components(path: Path) -> list[dict[str, str]]:
    """What `component_records` gave; none where there is no file. `UserError` where it is damaged:
    a name or a version that none can be would go into what is advised to be installed.
    """
    if not path.is_file():
        return []
    records: list[dict[str, str]] = read_json(path)
    wrong = fault(list[ComponentRecord], records)
    for number, record in enumerate(() if wrong else records):
        if record["kind"] not in KINDS:
            wrong = f"{number}.kind: {shown(record['kind'])} is no kind of component"
        elif not record["name"].isprintable():
            wrong = f"{number}.name: {shown(record['name'])} is no name"
        elif not _DISTRIBUTION.fullmatch(record["distribution"]):
            wrong = f"{number}.distribution: {shown(record['distribution'])} is no distribution"
        elif not _is_version(record["version"]):
            wrong = f"{number}.version: {shown(record['version'])} is no version"
        if wrong:
            break
    if wrong:
        raise UserError(
            f"{path}: damaged: not a list of components ({wrong}); restore the folder from where "
            "the run was made."
        )
    return records


def exactly(distribution: str, version: str) -> str:
    """What pip is asked for, to have that version."""
    return distribution if version == UNTOLD else f"{distribution}=={version}"


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return text == UNTOLD
    return len(text) <= _LONGEST
