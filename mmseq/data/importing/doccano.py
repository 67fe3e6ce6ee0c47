"""doccano's exports of sequence labelling: JSONL or a JSON array, an entry a text.

    {"id": 1, "text": "Anna lives in Oslo.", "label": [[0, 4, "PER"], [14, 18, "LOC"]]}
    {"id": 1, "text": …, "Comments": [],
     "entities": [{"id": 7, "label": "PER", "start_offset": 0, "end_offset": 4}],
     "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "lives in"}]}

The first also with ``labels``, as older versions wrote; still older ones wrote ``annotations`` with
numbers for types, which say nothing without the project. Relations are left out. Meta data become
further fields; a picture is the field that is named so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mmseq.data.importing.documents import Document, Item, Naming
from mmseq.data.importing.fields import field_of, images_of, spans_of
from mmseq.data.importing.json_files import elements, require_list, require_object, shown
from mmseq.errors import UserError

SPANS = ("label", "labels", "entities", "annotations")
TEXT = ("text", "data")


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """An entry a text."""
    for place, value in elements(path):
        record = require_object(value, place)
        text = field_of("text", record, naming, place, TEXT)
        spans = field_of("spans", record, naming, place, SPANS)
        if text is None or spans is None:
            raise UserError(
                f'{place}: not an entry of doccano, which has "text", and "label" or "entities"; '
                "export the project as JSONL."
            )
        if not isinstance(record[text], str):
            raise UserError(f"{place}: '{text}' is {shown(record[text])}; make it a string.")
        relations = require_list(record.get("relations"), "relations", place)
        others = {k: v for k, v in record.items() if k not in (text, spans, "relations", "id")}
        meta = others.get("meta", others.get("metadata"))
        if isinstance(meta, dict) and field_of("image", others, naming, place) is None:
            others |= {k: v for k, v in meta.items() if k not in others}
        image = field_of("image", others, naming, place)
        images = images_of(others.pop(image), place, image) if image and others[image] else ()
        yield Document(
            place,
            record[text],
            tuple(spans_of(record[spans] or [], place, spans)),
            images,
            str(record.get("id", "")),
            extras={k: v for k, v in others.items() if k not in ("Comments", "comments") or v},
            left_out=Counter({"relations": len(relations)} if relations else {}),
        )
