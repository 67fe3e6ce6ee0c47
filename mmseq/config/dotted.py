"""Nested tables as one table of dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dotted(tables: Mapping[str, Any]) -> dict[str, Any]:
    """``{"train": {"seed": 1}}`` as ``{"train.seed": 1}``; an empty table leaves nothing."""
    values: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{rest}": inner for rest, inner in dotted(value).items()}
        else:
            values[key] = value
    return values
