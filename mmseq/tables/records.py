"""A table as JSON and as CSV: every number in full precision."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mmseq.config.dotted import dotted
from mmseq.escaping import csv_cell
from mmseq.tables.measures import METRICS
from mmseq.tables.spread import Spread
from mmseq.tables.table import Row, Table

Record = dict[str, Any]


def json_text(table: Table) -> str:
    """An object with ``title``, ``split``, ``variant``, ``rows``, ``sources`` and ``notes``."""
    content = {
        "title": table.layout.title,
        "split": table.split,
        "variant": table.variant,
        "baseline": table.layout.baseline or None,
        "rows": [_record(table, row) for row in table.rows],
        "sources": {name: source.model_dump() for name, source in table.sources.items()},
        "notes": list(table.notes),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def csv_text(table: Table) -> str:
    """A line a row, a column a number; what a row lacks is empty.

    Columns are the JSON's keys joined by ``_``; of several published figures the first has columns
    of its own and the others stand in ``published_further``.
    """
    rows = [_flat(_csv_record(table, row)) for row in table.rows]
    # The fullest row first: one without results would put its few columns before the scores.
    fullest = sorted(rows, key=len, reverse=True)
    columns = list(dict.fromkeys(name for row in fullest for name in row))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    writer.writerows([csv_cell(row.get(name, "")) for name in columns] for row in rows)
    return file.getvalue()


def _record(table: Table, row: Row) -> Record:
    record: Record = {
        "system": row.layout.system,
        "title": row.layout.name,
        "differs": row.group.differs if row.group else "",
        "status": "measured" if row.group else row.layout.absence,
        "data": row.data.name if row.data else "",
        "split": table.split,
        "variant": table.variant,
    }
    if row.data:
        record["sha256"] = row.data.sha256
        record |= {"sentences": row.data.sentences, "gold": row.data.gold}
    if row.group and row.measured:
        measured = row.measured
        record["runs"] = len(row.group.seeds)
        record["seeds"] = list(row.group.seeds)
        record |= {metric: _spread(measured.scores[metric]) for metric in METRICS}
        if measured.per_type:
            record["per_type"] = {
                name: {
                    "support": found.support,
                    **{metric: _spread(found.scores[metric]) for metric in METRICS},
                }
                for name, found in measured.per_type.items()
            }
        record |= {
            name: {metric: _spread(found.scores[metric]) for metric in METRICS}
            for name, found in measured.averages.items()
        }
        record["seconds"] = {name: _spread(s) for name, s in measured.seconds.items()}
        record["parameters"] = dict(measured.parameters)
        first = row.group.results[0]
        record["checksums"] = {
            split: {name: values.get(name, "") for name in ("sha256", "images_sha256")}
            for split, values in first.splits.items()
        }
        record["versions"] = dict(first.versions)
    record["published"] = [
        {
            **one.figure.model_dump(exclude={"system", "title"}),
            "data": one.data,
            "citation": table.sources[one.figure.source].text,
            "obstacle": one.obstacle,
            "difference": one.differences(row.measured),
        }
        for one in row.published
    ]
    if row.comparison:
        found = row.comparison
        record["comparison"] = {
            "baseline": table.layout.baseline,
            "seeds": list(found.seeds),
            **asdict(found.difference),
            "p_holm": found.p,
            "family": found.family,
        }
    return record


def _spread(spread: Spread) -> Record:
    return {
        "mean": spread.mean,
        "sd": spread.sd,
        "min": spread.low,
        "max": spread.high,
        "values": list(spread.values),
    }


def _csv_record(table: Table, row: Row) -> Record:
    record = _record(table, row)
    first, *further = record.pop("published") or [{}]
    record["published"] = first
    record["published_further"] = "; ".join(
        f"{one['data']} F1 {one['f1']} ({one['citation']})" for one in further
    )
    return record


def _flat(record: Mapping[str, Any]) -> Record:
    return {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in dotted(record, "_").items()
    }
