"""What a row of stored features holds: names and shapes, kept in meta.json with a checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.errors import UserError
from mmseq.files import write_text

Layout = dict[str, tuple[int, ...]]
FORMAT = 1
MOST_BYTES = 1 << 16
"""Of meta.json; what is longer is none"""
MOST_SIDES = 8
LARGEST_SIDE = 1 << 32


def layout_sum(layout: Mapping[str, tuple[int, ...]]) -> int:
    """CRC-32 of names and shapes in their order, with which the sums of rows begin."""
    return zlib.crc32(json.dumps([[name, list(shape)] for name, shape in layout.items()]).encode())


def read_layout(path: Path) -> Layout | None:
    """What meta.json says; None where it is missing or damaged. `UserError` for a later version.

    Nothing of it is believed but shapes of whole numbers, and with a checksum only those it fits.
    Stores from before there was one are read as they are.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(text) > MOST_BYTES:
        return None
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(meta, dict):
        return None
    if _is_whole(meta.get("format")) and meta["format"] > FORMAT:
        raise UserError(
            f"{path} is of another version: stored picture features are left as they are; name "
            "another folder (data.features), or delete this one."
        )
    layout = _shapes(meta.get("shapes"))
    known = _is_whole(meta.get("format")) and meta["format"] == FORMAT
    if layout is None or not known or meta.get("dtype") != "float16":
        return None
    return layout if meta.get("sum", layout_sum(layout)) == layout_sum(layout) else None


def write_layout(path: Path, layout: Layout) -> None:
    """Put names and shapes on the disk."""
    meta = {"format": FORMAT, "dtype": "float16", "shapes": layout, "sum": layout_sum(layout)}
    write_text(path, json.dumps(meta, indent=1) + "\n")


def _shapes(value: Any) -> Layout | None:
    if not isinstance(value, dict) or not value:
        return None
    for shape in value.values():
        if not isinstance(shape, list) or len(shape) > MOST_SIDES:
            return None
        if not all(_is_whole(side) and 0 < side < LARGEST_SIDE for side in shape):
            return None
    return {name: tuple(shape) for name, shape in value.items()}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
