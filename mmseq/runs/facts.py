"""What a finished run says of itself: metrics, timing, epochs, config, held to known types.

A key of these types is checked wherever it is there; what a reader needs beyond what every run has
it asks for itself. Further keys are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mmseq.errors import UserError
from mmseq.files import read_json, read_toml
from mmseq.runs.inside import require_inside
from mmseq.scoring.shapes import Scores
from mmseq.shapes import LATER, Amount, Shape, Text, Whole, fault

AGAIN = "restore the file, or train the run again"


class SplitFacts(Shape):
    """What was seen of a split."""

    sha256: Text
    images_sha256: Text = ""
    sentences: Whole = 0
    entities: Whole = 0


class Metrics(Shape):
    """metrics.json."""

    best_epoch: Whole = 0
    valid: Scores = LATER
    test: Scores = LATER
    data: dict[Text, SplitFacts]
    parameters: dict[Text, Whole] = Field(default={})
    versions: dict[Text, Text]
    contents: dict[Text, Text] = Field(default={})
    processes: Whole = 1
    pictures: dict[Text, Whole] | None = None


class Timing(Shape):
    """timing.json."""

    seconds: dict[Text, Amount]


class EpochScores(Shape):
    """Of an epoch: F1 is what is read."""

    f1: Amount


class Line(Shape):
    """history.jsonl: a line of any kind."""

    kind: Text


class EpochLine(Line):
    """That of an epoch. A loss may be without limits."""

    epoch: Whole
    losses: dict[Text, Annotated[float, Field(allow_inf_nan=True)]]
    valid: EpochScores | None


class _Data(Shape):
    path: Text = ""
    map: dict[Text, Any] = Field(default={})


class _Train(Shape):
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    init: Text = ""


class _Component(Shape):
    name: Text = ""


class Tables(Shape):
    """The tables of a config that was kept: of components that may not be installed here."""

    data: _Data = LATER
    train: _Train = LATER
    text_encoder: _Component = LATER
    image_encoder: _Component = LATER
    fusion: _Component = LATER
    decoder: _Component = LATER
    weighting: _Component = LATER
    aux: dict[Text, dict[Text, Any]] = Field(default={})
    callbacks: dict[Text, dict[Text, Any]] = Field(default={})


class RunTables(Tables):
    """Those of a run's config.toml."""

    data: _Data
    train: _Train


def read_metrics(run: Path) -> dict[str, Any]:
    """metrics.json of a run; `UserError` naming the file and the key where it is damaged."""
    return _checked(run, "metrics.json", Metrics)


def read_seconds(run: Path) -> dict[str, float]:
    """Seconds of each part of a run, of timing.json; `UserError` where it is damaged."""
    seconds: dict[str, float] = _checked(run, "timing.json", Timing)["seconds"]
    return seconds


def read_tables(run: Path) -> dict[str, Any]:
    """The tables of a run's config.toml, whose components may not be installed here. `UserError`
    where it is damaged.
    """
    path = run / "config.toml"
    require_inside(run, [path.name])
    tables = read_toml(path)
    _require(path, tables, RunTables)
    return tables


def read_epochs(run: Path) -> list[Mapping[str, Any]]:
    """The epochs' lines of history.jsonl, in order; none without the callback that logs them.
    `UserError` naming file and line where it is damaged.
    """
    path = run / "history.jsonl"
    require_inside(run, [path.name])
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: damaged ({error}); {AGAIN}.") from error
        _require(where, record, Line)
        if record["kind"] == "epoch":
            _require(where, record, EpochLine)
            found.append(record)
    return found


def _checked(run: Path, name: str, shape: type[Shape]) -> dict[str, Any]:
    require_inside(run, [name])
    record: dict[str, Any] = read_json(run / name)
    _require(run / name, record, shape)
    return record


def _require(where: object, record: Any, shape: type[Shape]) -> None:
    if wrong := fault(shape, record):
        raise UserError(f"{where}: damaged: {wrong}; {AGAIN}.")
