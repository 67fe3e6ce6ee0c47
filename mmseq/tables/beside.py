"""The published figures of a row, and whether ours may be subtracted from them."""

from __future__ import annotations

from dataclasses import dataclass

from mmseq.tables.groups import DataSet
from mmseq.tables.measures import METRICS, Measured
from mmseq.tables.published import Figure, Published
from mmseq.tables.readings import DEFAULT


@dataclass(frozen=True)
class Beside:
    """One published figure beside a row."""

    figure: Figure
    data: str
    """Title of the data set that it was published on"""
    obstacle: str
    """Why no difference may be printed: ``other data`` …; empty where it may"""

    def difference(self, metric: str, measured: Measured | None) -> float | None:
        """Our mean less the published value; None where there is nothing to subtract or it would
        be wrong to.
        """
        value = getattr(self.figure, metric)
        if measured is None or value is None or self.obstacle:
            return None
        return float(measured.scores[metric].mean - value)

    def differences(self, measured: Measured | None) -> dict[str, float | None]:
        """Of precision, recall and F1."""
        return {metric: self.difference(metric, measured) for metric in METRICS}


def beside(
    published: Published, system: str, data: DataSet | None, variant: str, fallback: str
) -> tuple[Beside, ...]:
    """Figures of a system on the data set whose test file `data` is; where there are none, on the
    data set `fallback`, which is then other data.
    """
    same = published.data_of(data.sha256) if data else ""
    for name in (same, fallback):
        figures = published.of(system, name)
        if figures:
            obstacle = _obstacle(published, name, same, data, variant)
            return tuple(Beside(f, published.data[name].title, obstacle) for f in figures)
    return ()


def _obstacle(
    published: Published, name: str, same: str, data: DataSet | None, variant: str
) -> str:
    if name != same or data is None:
        return "other data"
    if variant != DEFAULT:
        return "other reading"
    gold = published.data[name].gold.get(DEFAULT)
    # The file is the same, but not its entities: a type was dropped or the scheme read otherwise.
    return "other gold count" if gold not in (None, data.gold) else ""
