"""Systems: runs that differ in nothing but their training seed, on one test file."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mmseq.comparison.sources import Run
from mmseq.errors import UserError

_NUMBER = re.compile(r"(^|[-_.])(seed|s)?[-_.=]?\d+$")


@dataclass(frozen=True)
class System:
    """Runs that differ in nothing but the seed."""

    name: str
    runs: Mapping[int, Run]
    """Training seed -> run, by rising seed"""


def gather(runs: Sequence[Run]) -> list[System]:
    """Systems in the order of their first runs: by the name they have, else by equal identity.

    Unnamed ones are called after their folders without the number of the seed, or, where that
    names two, after the whole folders. `UserError` where two runs hold other sentences, and where
    a system has two runs of a seed or two configurations.
    """
    for run in runs[1:]:
        difference = _first_difference(runs[0], run)
        if difference:
            raise UserError(
                f"{run.where}: its sentences are not those of {runs[0].where}: {difference}; "
                "compare runs on one file."
            )
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.system or json.dumps(run.identity, sort_keys=True), []).append(run)
    names = names_of(list(groups.values()))
    return [System(n, _by_seed(n, g)) for n, g in zip(names, groups.values(), strict=True)]


def _first_difference(first: Run, other: Run) -> str:
    """Between the sentences of two runs: their words and gold tags, or what results have of them
    (number, gold entities, renamed types, the file's checksum). Empty: none.
    """
    if len(first.counts) != len(other.counts):
        return f"{len(other.counts)} sentences, not {len(first.counts)}"
    if first.predictions is None or other.predictions is None:
        both = zip(first.counts.gold, other.counts.gold, strict=True)
        for number, (expected, found) in enumerate(both, 1):
            if expected != found:
                return f"sentence {number} has {found} gold entities, not {expected}"
        if _renamed(first) != _renamed(other):
            return f"types renamed as {_renamed(other)}, not {_renamed(first)}"
        same = first.sha256 == other.sha256
        return "" if same else f"a file of SHA-256 {other.sha256}, not {first.sha256}"
    one, another = first.predictions, other.predictions
    for what in ("tokens", "gold"):
        both = zip(getattr(one, what), getattr(another, what), strict=True)
        for number, (expected, found) in enumerate(both, 1):
            if expected != found:
                label = "is" if what == "tokens" else "has the gold tags"
                return f"sentence {number} {label} '{' '.join(found)}', not '{' '.join(expected)}'"
    return ""


def _renamed(run: Run) -> dict[str, str]:
    prefix = "data.map."
    return {k.removeprefix(prefix): v for k, v in run.identity.items() if k.startswith(prefix)}


def _by_seed(name: str, group: Sequence[Run]) -> dict[int, Run]:
    # Who names run folders says what belongs together; names in results must mean one thing.
    listed = [run for run in group if run.predictions is None]
    for run in listed[1:]:
        one, other = listed[0].identity, run.identity
        if key := next((k for k in one | other if one.get(k) != other.get(k)), None):
            raise UserError(
                f"{listed[0].where} and {run.where}: one system ('{name}') of two configurations: "
                f"{key} is {_value(one, key)} and {_value(other, key)}; give one of the files."
            )
    found: dict[int, Run] = {}
    for run in group:
        if run.seed in found:
            raise UserError(
                f"{found[run.seed].where} and {run.where}: two runs of one system ('{name}') with "
                f"seed {run.seed}; give one of them, or name run folders apart: NAME=RUN."
            )
        found[run.seed] = run
    return dict(sorted(found.items()))


def _value(identity: Mapping[str, Any], key: str) -> str:
    return str(identity.get(key, "at its default"))


class Named(Protocol):
    """What a name is made of, as in `Run`."""

    @property
    def where(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def system(self) -> str: ...


def names_of(groups: Sequence[Sequence[Named]]) -> list[str]:
    """A name a group, all different: the one that it has, else of its folders."""
    names = [group[0].system or _stem(group) for group in groups]
    longer_names: tuple[Callable[[Named], str], ...] = (
        lambda run: run.folder.resolve().name,
        lambda run: run.where,
    )
    for longer in longer_names:
        times = Counter(names)
        names = [
            "+".join(map(longer, group)) if times[name] > 1 and not group[0].system else name
            for name, group in zip(names, groups, strict=True)
        ]
    return names


def _stem(group: Sequence[Named]) -> str:
    """``runs/gate-seed1``, ``runs/gate-seed2``: gate; ``gate/1``, ``gate/2``: gate."""
    stems = []
    for run in group:
        parts = reversed(run.folder.resolve().parts)
        stems.append(next(filter(None, (_NUMBER.sub("", part) for part in parts))))
    shared = os.path.commonprefix(stems)
    return shared.rstrip("-_. ") or "+".join(stems)
