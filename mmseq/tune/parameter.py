"""A parameter of a search: a range of numbers or a list of choices for one config key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmseq.bench.plan import Problems, checked
from mmseq.config.layering import SECTIONS, SEVERAL

RANGE_KEYS = {"low": (int, float), "high": (int, float), "log": bool, "step": (int, float)}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    """Drawn evenly by ratio, not by difference"""
    step: float | None = None
    """Only low, low + step, …"""
    whole: bool = False
    """Whole numbers only"""

    @property
    def corners(self) -> tuple[Any, ...]:
        """Values that show whether the key takes this range."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choices:
    """Any TOML values."""

    values: tuple[Any, ...]

    @property
    def corners(self) -> tuple[Any, ...]:
        return self.values

    @property
    def labels(self) -> tuple[Any, ...]:
        """What the study's storage, which holds no list and no table, has for them."""
        return tuple(v if isinstance(v, str | int | float) else json.dumps(v) for v in self.values)


@dataclass(frozen=True)
class Parameter:
    """What is searched of one dotted key of a config."""

    key: str
    values: Range | Choices

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def option(self) -> str:
        return self.key.partition(".")[2]

    def to_json(self) -> Any:
        """All of it, to be compared."""
        return json.loads(json.dumps(asdict(self.values)))


def config_keys(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted config keys of a table, and what stands under them. ``train.epochs`` may be written
    with quotes or without, which in TOML is a table in a table.
    """
    for name, value in table.items():
        key = f"{prefix}{name}"
        section = key.partition(".")[0]
        depth = 2 if section in SEVERAL else 1
        inner = isinstance(value, Mapping) and key.count(".") < depth
        # A range under a word that is not a section is a misspelt key.
        if inner and (section in SECTIONS or not value.keys() <= RANGE_KEYS.keys()):
            yield from config_keys(value, f"{key}.")
        else:
            yield key, value


def parse_parameter(key: str, given: Any, problems: Problems) -> Parameter | None:
    """The parameter in an entry of [space]; mistakes go into `problems`."""
    if isinstance(given, list):
        return _choices(key, given, problems)
    if isinstance(given, Mapping):
        return _range(key, given, problems)
    problems.add(
        f"{key} = {given!r} is no range and no list; write {{ low = …, high = … }} or [a, b]."
    )
    return None


def _choices(key: str, given: list[Any], problems: Problems) -> Parameter | None:
    if not given:
        problems.add(f"{key}: no choice in [].")
        return None
    twice = [value for index, value in enumerate(given) if value in given[:index]]
    for value in twice:
        problems.add(f"{key}: {value!r} is there twice; name it once.")
    return None if twice else Parameter(key, Choices(tuple(given)))


def _range(key: str, given: Mapping[str, Any], problems: Problems) -> Parameter | None:
    before = len(problems.lines)
    table = checked(key, given, RANGE_KEYS, problems)
    for name in ("low", "high"):
        if name not in table and len(problems.lines) == before:
            problems.add(f"{key}: no '{name}'; write {{ low = …, high = … }}.")
    if len(problems.lines) > before:
        return None
    low, high = table["low"], table["high"]
    log, step = table.get("log", False), table.get("step")
    for name, value in (("low", low), ("high", high), ("step", step)):
        if value is not None and not abs(value) < float("inf"):
            problems.add(f"{key}: {name} = {value!r} is no finite number.")
    if low > high:
        problems.add(f"{key}: low = {low!r} is above high = {high!r}.")
    if log and low <= 0:
        problems.add(f"{key}: log = true needs low above 0, not {low!r}.")
    if step is not None and step <= 0:
        problems.add(f"{key}: step = {step!r} is not above 0.")
    if log and step is not None:
        problems.add(f"{key}: log and step do not go together; leave one out.")
    if len(problems.lines) > before:
        return None
    whole = all(isinstance(value, int) for value in (low, high, step or 0))
    return Parameter(key, Range(low, high, log, step, whole))
