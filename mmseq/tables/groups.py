"""Which results may be averaged: those that differ by the seed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmseq.bench.results import Result
from mmseq.config.dotted import dotted
from mmseq.runs.identity import ASIDE, recorded, settings, versions
from mmseq.tables.readings import scores_of

SHOWN = 3
"""Differences named with a row; the rest are counted."""


@dataclass(frozen=True)
class DataSet:
    """The sentences that were scored."""

    name: str
    """As the first result on it calls it"""
    sha256: str
    sentences: int
    gold: int
    """Gold entities in the table's reading (dropping a type changes it, and not the checksum)"""


@dataclass(frozen=True)
class Group:
    """Runs of one system on one data set: same data, configuration and versions, a seed each."""

    system: str
    data: DataSet
    results: tuple[Result, ...]
    """By seed"""
    differs: str
    """In what from the system's other groups on these data; empty where it has none"""

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(result.seed for result in self.results)


def group(results: Iterable[Result], split: str, variant: str) -> tuple[list[Group], list[str]]:
    """Groups in the order of the results, and notes on what could not be averaged or was left out.

    All results must have scores of `split`; `UserError` where one lacks the variant.
    """
    cells: dict[tuple[str, str, int], list[Result]] = {}
    for result in results:
        gold = int(scores_of(result, split, variant)["gold"])
        key = (result.system, str(result.splits[split]["sha256"]), gold)
        cells.setdefault(key, []).append(result)
    names: dict[tuple[str, int], DataSet] = {}
    groups: list[Group] = []
    notes: list[str] = []
    for (system, sha256, gold), found in cells.items():
        sentences = int(found[0].splits[split]["sentences"])
        data = DataSet(found[0].data, sha256, sentences, gold)
        data = names.setdefault((sha256, gold), data)
        groups += _groups(system, data, found, notes)
    return groups, notes


def _groups(
    system: str, data: DataSet, results: Sequence[Result], notes: list[str]
) -> Iterator[Group]:
    alike = _alike(results, _as_written)
    if len(alike) > 1:
        # One may be at the default of a setting that the other, older, lacks.
        alike = _alike(results, _facts)
    differing = _differing([dict(facts) for facts in alike])
    if len(alike) > 1:
        notes.append(
            f"{system} on {data.name}: {len(alike)} rows, never averaged: they differ in "
            f"{_listed(differing)}."
        )
    for key, found in alike.items():
        facts = dict(key)
        written = _as_written(found[0])
        values = {name: facts.get(name, written.get(name, "none")) for name in differing}
        differs = [f"{name} {_short(value)}" for name, value in values.items()]
        yield Group(system, data, _one_a_seed(found, notes), _listed(differs))


def _one_a_seed(results: Iterable[Result], notes: list[str]) -> tuple[Result, ...]:
    """By seed; of two results of one seed the first (one may have lain in another folder)."""
    seeds: dict[int, Result] = {}
    for result in results:
        if seeds.setdefault(result.seed, result) is not result:
            notes.append(
                f"{result.system} on {result.data}: seed {result.seed} is there twice; the first "
                "is used."
            )
    return tuple(seeds[seed] for seed in sorted(seeds))


def _alike(
    results: Iterable[Result], facts: Callable[[Result], Mapping[str, str]]
) -> dict[tuple[tuple[str, str], ...], list[Result]]:
    """Facts -> the results that have them."""
    found: dict[tuple[tuple[str, str], ...], list[Result]] = {}
    for result in results:
        found.setdefault(tuple(sorted(facts(result).items())), []).append(result)
    return found


def _facts(result: Result) -> dict[str, str]:
    """All that makes two results different experiments, but for the seed."""
    tables = recorded(result.config, result.contents)
    facts = {name: str(value) for name, value in settings(tables, seed=False).items()}
    return facts | versions(tables, result.versions) | _measured(result)


def _as_written(result: Result) -> dict[str, str]:
    """The same without asking any component for its defaults, which takes seconds: results that
    are alike in this are alike.
    """
    tables = recorded(result.config, result.contents)
    facts = {name: str(value) for name, value in dotted(tables).items() if name not in ASIDE}
    facts.pop("train.seed", None)
    return {**facts, **result.versions, **_measured(result)}


def _measured(result: Result) -> dict[str, str]:
    facts = {}
    for split, values in result.splits.items():
        facts[f"{split} sha256"] = str(values["sha256"])
        facts[f"{split} images_sha256"] = str(values.get("images_sha256", ""))
    facts |= {f"parameters ({name})": str(count) for name, count in result.parameters.items()}
    return facts


def _differing(facts: Sequence[Mapping[str, str]]) -> list[str]:
    names = dict.fromkeys(name for one in facts for name in one)
    return [name for name in names if len({one.get(name) for one in facts}) > 1]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _short(value: str) -> str:
    """A checksum is named by its beginning."""
    return value[:8] if len(value) == 64 else value or "none"
