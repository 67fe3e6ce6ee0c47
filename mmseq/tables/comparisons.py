"""Each system against the baseline: the difference in F1, its interval and its test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmseq.tables.groups import Group

if TYPE_CHECKING:
    from mmseq.scoring.counts import Counts
    from mmseq.scoring.significance import Difference


@dataclass(frozen=True)
class Comparison:
    """A row against the baseline on the same data."""

    difference: Difference
    """F1 of the row less F1 of the baseline, in seqeval's default reading"""
    p: float
    """The larger of the two tests' p values, adjusted for the family (Holm)"""
    seeds: tuple[int, ...]
    """Those that both have"""
    family: int
    """How many comparisons were adjusted together: all of the table"""


def compare(
    groups: Sequence[Group], baseline: str, split: str
) -> tuple[list[Comparison | None], list[str]]:
    """For each group its comparison with the baseline's group on its data; None for the baseline
    itself and where there is nothing to compare with. Notes say why.
    """
    from mmseq.scoring.significance import adjusted, difference

    found: dict[int, tuple[Difference, tuple[int, ...]]] = {}
    notes: list[str] = []
    for index, group in enumerate(groups):
        if group.system == baseline:
            continue
        others = [g for g in groups if g.system == baseline and g.data == group.data]
        seeds = _common(group, others[0]) if len(others) == 1 else ()
        if not seeds:
            notes.append(f"{_name(group)}: not tested: {_reason(baseline, len(others))}.")
            continue
        try:
            own, other = (_counts(g, seeds, split) for g in (group, others[0]))
            found[index] = difference(own, other), seeds
        except KeyError:
            notes.append(f"{_name(group)}: not tested: results without counts of each sentence.")
            continue
        except ValueError as error:
            notes.append(f"{_name(group)}: not tested: {error}.")
            continue
        if seeds != group.seeds or seeds != others[0].seeds:
            notes.append(
                f"{_name(group)}: tested on the seeds that both have: {', '.join(map(str, seeds))}."
            )
    values = adjusted([one for one, _ in found.values()])
    made = {
        index: Comparison(one, p, seeds, len(found))
        for (index, (one, seeds)), p in zip(found.items(), values, strict=True)
    }
    return [made.get(index) for index in range(len(groups))], notes


def _common(group: Group, other: Group) -> tuple[int, ...]:
    return tuple(seed for seed in group.seeds if seed in other.seeds)


def _counts(group: Group, seeds: Sequence[int], split: str) -> list[Counts]:
    return [r.counts_of(split) for r in group.results if r.seed in seeds]


def _name(group: Group) -> str:
    differs = f" ({group.differs})" if group.differs else ""
    return f"{group.system}{differs} on {group.data.name}"


def _reason(baseline: str, baselines: int) -> str:
    if baselines == 0:
        return f"no results of the baseline '{baseline}' on the same test file"
    if baselines > 1:
        return f"the baseline '{baseline}' has {baselines} rows there"
    return f"no seed in common with the baseline '{baseline}'"
