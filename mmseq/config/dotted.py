"""Nested tables as one table of dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dotted(tables: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """``{"train": {"seed": 1}}`` as ``{"train.seed": 1}``; an empty table leaves nothing.

    `separator` stands where here a dot does.
    """
    values: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            inner = dotted(value, separator)
            values |= {f"{key}{separator}{rest}": found for rest, found in inner.items()}
        else:
            values[key] = value
    return values
