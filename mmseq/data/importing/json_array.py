"""JSON of no tool in particular: an array, or a line an entry, of objects.

    [{"tokens": ["Anna", "ran"], "tags": ["B-PER", "O"], "image": "1.jpg"}, …]
    [{"text": "Anna ran", "entities": [[0, 4, "PER"]]}, {"text": …, "spans": [{"start": 0, …}]}]
    [["Anna ran", {"entities": [[0, 4, "PER"]]}], …]
    {"train": [{…}, …]} or {"data": [{…}, …]} or {"classes": ["PER"], "annotations": [[…], null]}

The fields' names are those of `ROLES`, or what the user says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmseq.data.importing.documents import Item, Naming, Place
from mmseq.data.importing.json_files import elements, shown
from mmseq.data.importing.records import item_of
from mmseq.errors import UserError


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """An entry a text or a sentence."""
    for place, value in _entries(path):
        yield item_of(_record(value, place), place, naming)


def _entries(path: Path) -> Iterator[tuple[Place, Any]]:
    whole = _whole(path)
    if whole is None:
        yield from elements(path)
        return
    place = Place(path)
    # Beside the entries there may be a list of types; an entry that was passed over is null.
    lists = [
        name
        for name, value in whole.items()
        if isinstance(value, list) and all(isinstance(v, dict | list | None) for v in value)
    ]
    lists = [name for name in lists if any(whole[name])] or lists
    if len(lists) != 1:
        raise UserError(
            f"{place}: one object, with no list of entries that can be told from its other fields "
            f"({', '.join(whole)}); write an array of the entries."
        )
    for number, value in enumerate(whole[lists[0]], 1):
        if value is None:
            continue
        yield Place(Path(f"{path} ({lists[0]}, entry {number})")), value


def _whole(path: Path) -> dict[str, Any] | None:
    """The file as one object over several lines; None where it is an array or lines."""
    with path.open("rb") as file:
        first = file.readline().removeprefix(b"\xef\xbb\xbf").strip()
        more = file.readline().strip()
    if not first.startswith(b"{") or (more.startswith(b"{") and first.endswith(b"}")):
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    single = isinstance(value, dict) and {"tokens", "words", "text"} & {k.lower() for k in value}
    return value if isinstance(value, dict) and not single else None


def _record(value: Any, place: Place) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    pair = isinstance(value, list) and len(value) == 2
    if pair and isinstance(value[0], str) and isinstance(value[1], dict):
        return {"text": value[0], **value[1]}
    raise UserError(
        f"{place}: {shown(value)} is no entry; write an object with words and tags, or with text "
        "and spans."
    )
