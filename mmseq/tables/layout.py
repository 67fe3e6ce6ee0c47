"""What a table shows, whatever the results hold: its rows, their order, what they stand beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmseq.bench.results import Result
from mmseq.registry.plugins import registry

if TYPE_CHECKING:
    from mmseq.bench.plan import Plan


@dataclass(frozen=True)
class LayoutRow:
    """One system of a table."""

    system: str
    """As in `Result.system`"""
    title: str = ""
    """What the table calls it; empty: `system`"""
    published: str = ""
    """Its name among the published figures; empty: none stand beside it"""
    preset: str = ""
    """The preset it is made of, where it is made of one"""

    @property
    def name(self) -> str:
        """For people."""
        return self.title or self.system

    @property
    def absence(self) -> str:
        """Why there may be no results: no installed plugin has its preset, or nobody ran it."""
        there = not self.preset or self.preset in registry().names("preset")
        return "no results" if there else "not installed"


@dataclass(frozen=True)
class Layout:
    """A table's title, rows, published figures and baseline."""

    title: str = ""
    rows: tuple[LayoutRow, ...] = ()
    published: str = ""
    """Published figures: a registered name or a TOML file; empty: none"""
    published_data: str = ""
    """The published data set of rows whose test file is none of the published ones"""
    baseline: str = ""
    """The system (`LayoutRow.system`) that the others are tested against; empty: no tests"""


def layout_of_plan(plan: Plan) -> Layout:
    """A row for every system of a plan, with each of its overrides."""
    rows = tuple(
        LayoutRow(
            f"{system.name} {override}".rstrip(),
            f"{system.title or system.name} {override}".rstrip(),
            system.published,
            system.preset,
        )
        for system in plan.systems
        for override in [o.name for o in plan.overrides] or [""]
    )
    return Layout(plan.title, rows, plan.published, plan.published_data, plan.baseline)


def layout_of(results: Iterable[Result], *, published: str = "", baseline: str = "") -> Layout:
    """A row for every system of the results, in the order in which they come."""
    systems = dict.fromkeys(result.system for result in results)
    rows = tuple(LayoutRow(system, published=system) for system in systems)
    return Layout(rows=rows, published=published, baseline=baseline)
