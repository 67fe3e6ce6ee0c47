"""Prodigy's JSONL, as `prodigy db-out` writes it.

    {"text": "Anna lives", "answer": "accept",
     "tokens": [{"text": "Anna", "start": 0, "end": 4, "id": 0, "ws": true}, …],
     "spans": [{"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "PER"}]}

Words are those of ``tokens``, where there are any. Entries that were rejected or ignored are left
out, and so are relations and boxes in pictures. ``image`` is a name, or the picture itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmseq.data.importing.documents import Document, Item, Naming, Place, Skipped
from mmseq.data.importing.fields import field_of, images_of, spans_of
from mmseq.data.importing.json_files import elements, require_list, require_object, shown
from mmseq.errors import UserError

_OWN = ("tokens", "relations", "answer", "options", "accept", "config", "width", "height")


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """An entry a text."""
    for place, value in elements(path):
        record = require_object(value, place)
        answer = record.get("answer", "accept")
        text = field_of("text", record, naming, place, ("text",))
        if answer != "accept":
            yield Skipped(place, f"the answer is '{answer}'")
        elif text is None:
            yield Skipped(place, "no text")
        elif not isinstance(record[text], str):
            raise UserError(f"{place}: '{text}' is {shown(record[text])}; make it a string.")
        else:
            yield _document(record, text, place, naming)


def _document(record: dict[str, Any], text: str, place: Place, naming: Naming) -> Document:
    spans = field_of("spans", record, naming, place, ("spans",))
    given = require_list(record[spans], spans, place) if spans else []
    of_text = [s for s in given if not (isinstance(s, dict) and "points" in s and "start" not in s)]
    left_out = Counter(
        {
            "relations": len(require_list(record.get("relations"), "relations", place)),
            "boxes in pictures": len(given) - len(of_text),
        }
    )
    others = {
        k: v
        for k, v in record.items()
        if k not in (text, spans, *_OWN) and not k.startswith("_") and v is not None
    }
    image = field_of("image", others, naming, place)
    images = images_of(others.pop(image), place, image) if image else ()
    name = field_of("id", others, naming, place)
    said = "" if name is None else str(others.pop(name))
    tokens = record.get("tokens")
    return Document(
        place,
        record[text],
        tuple(spans_of(of_text, place, spans or "")),
        images,
        said,
        _words(tokens, len(record[text]), place) if tokens else None,
        extras=others,
        left_out=+left_out,
    )


def _words(tokens: Any, length: int, place: Place) -> tuple[tuple[int, int], ...]:
    """Places of the tokens that are not white space."""
    words, before = [], 0
    for number, token in enumerate(require_list(tokens, "tokens", place), 1):
        found = require_object(token, place)
        start, end = found.get("start"), found.get("end")
        if not (
            isinstance(start, int) and isinstance(end, int) and before <= start <= end <= length
        ):
            raise UserError(
                f"{place}: 'tokens', entry {number}: start {shown(start)} and end {shown(end)} are "
                "no place behind the one before in the text."
            )
        before = end
        if str(found.get("text", "x")).strip() and start < end:
            words.append((start, end))
    return tuple(words)
