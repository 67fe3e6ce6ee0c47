"""What runs and records from before an option came did, where its default is something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmseq.config.layering import DEFAULTS, SEVERAL, SINGLE
from mmseq.errors import UserError
from mmseq.registry.plugins import registry


def earlier_options(tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By place (``image_encoder``, ``aux.boundary``), of the options that a component's table lacks
    those that it lists in its class's `earlier`. Nothing of a component that is not installed.
    """
    found = {}
    for place, kind, name, table in _components(tables):
        try:
            earlier = registry().get(kind, name).earlier()
        except UserError:
            # Whoever needs it is told so.
            continue
        found[place] = {key: value for key, value in earlier.items() if key not in table}
    return found


def _components(
    tables: Mapping[str, Any],
) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Place, kind, name and table of each."""
    for section in SINGLE:
        if section in tables:
            table = tables[section]
            name = str(table.get("name", DEFAULTS[section]["name"]))
            if (section, name) != ("image_encoder", "none"):
                yield section, section, name, table
    for section, kind in SEVERAL.items():
        for name, table in tables.get(section, {}).items():
            yield f"{section}.{name}", kind, name, table
