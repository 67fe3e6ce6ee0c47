"""Label Studio's exports: JSON (tasks with their annotations) and JSON-MIN.

    [{"id": 1, "data": {"text": "Anna lives", "image": "/data/upload/1/ab12-1.jpg"},
      "annotations": [{"id": 3, "was_cancelled": false, "result": [
        {"id": "x", "from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}}]}]}]
    [{"id": 1, "text": "Anna lives", "label": [{"start": 0, "end": 4, "text": "Anna",
                                               "labels": ["PER"]}]}]

Of several annotations of one task the ground truth is taken, else the first; tasks without one, and
cancelled ones, are left out. Relations, boxes in pictures and choices are left out. A name under
``/data/upload/`` or ``/data/local-files/?d=`` is the name of the file that was uploaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mmseq.data.importing.documents import CharSpan, Content, Document, Item, Naming, Place, Skipped
from mmseq.data.importing.fields import ROLES, field_of, images_of, spans_with
from mmseq.data.importing.json_files import elements, require_list, require_object, shown
from mmseq.errors import UserError

_LOCAL = "/data/local-files/?d="
_UPLOAD = "/data/upload/"


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """A task a text."""
    for place, value in elements(path):
        task = require_object(value, place)
        if "data" in task and ("annotations" in task or "completions" in task):
            yield _task(task, place, naming)
        else:
            yield _small(task, place, naming)


def _task(task: Mapping[str, Any], place: Place, naming: Naming) -> Item:
    given = require_object(task["data"], place)
    made = task.get("annotations", task.get("completions")) or []
    made = [require_object(entry, place) for entry in require_list(made, "annotations", place)]
    kept = [annotation for annotation in made if not annotation.get("was_cancelled")]
    if not kept:
        return Skipped(place, "cancelled" if made else "not annotated")
    annotation = next((a for a in kept if a.get("ground_truth")), kept[0])
    left_out = Counter({"further annotations of one text": len(kept) - 1} if kept[1:] else {})
    spans: list[CharSpan] = []
    for number, result in enumerate(require_list(annotation.get("result"), "result", place), 1):
        found = require_object(result, place)
        region = found.get("value")
        if isinstance(region, dict) and _is_span(region):
            spans += _spans(region, f"{place}: result {number}")
        else:
            relation = found.get("type") == "relation"
            left_out["relations" if relation else "results that are no spans of text"] += 1
    return _document(given, str(task.get("id", "")), spans, left_out, place, naming)


def _small(task: Mapping[str, Any], place: Place, naming: Naming) -> Item:
    """A task of JSON-MIN: the spans are the field that holds such, whatever it is called."""
    lists = [name for name, value in task.items() if isinstance(value, list)]
    fields = [name for name in lists if task[name] and all(map(_is_span, task[name]))]
    if "spans" in naming.columns:
        fields = [f for f in [field_of("spans", task, naming, place)] if f is not None]
    if len(fields) > 1:
        raise UserError(
            f"{place}: '{fields[0]}' and '{fields[1]}' both hold spans; say which: --column "
            f"spans={fields[0]}."
        )
    spans = [
        span
        for field in fields
        for number, region in enumerate(require_list(task[field], field, place), 1)
        for span in _spans(require_object(region, place), f"{place}: '{field}', entry {number}")
    ]
    return _document(
        {k: v for k, v in task.items() if k not in fields},
        str(task.get("id", "")),
        spans,
        Counter(),
        place,
        naming,
    )


def _is_span(region: Any) -> bool:
    if not isinstance(region, dict) or not {"start", "end"} <= region.keys():
        return False
    return "labels" in region or "hypertextlabels" in region


def _spans(region: Mapping[str, Any], where: str) -> Iterator[CharSpan]:
    offsets = region.get("globalOffsets")
    ends = offsets if isinstance(offsets, dict) else region
    labels = region.get("labels", region.get("hypertextlabels"))
    yield from spans_with(ends.get("start"), ends.get("end"), labels, region.get("text"), where)


def _document(
    given: Mapping[str, Any],
    name: str,
    spans: list[CharSpan],
    left_out: Counter[str],
    place: Place,
    naming: Naming,
) -> Document:
    text = field_of("text", given, naming, place)
    if text is None:
        raise UserError(
            f"{place}: no text among the data ({', '.join(given)}); say which it is: --column "
            "text=NAME."
        )
    if not isinstance(given[text], str):
        raise UserError(f"{place}: '{text}' is {shown(given[text])}; make it a string.")
    image = field_of("image", given, naming, place, ROLES["image"])
    images = images_of(given[image], place, image) if image and given[image] else ()
    extras = {k: v for k, v in given.items() if k not in (text, image, "id")}
    return Document(
        place,
        given[text],
        tuple(spans),
        tuple(_uploaded(picture) for picture in images),
        name,
        extras=extras,
        left_out=left_out,
    )


def _uploaded(picture: str | Content) -> str | Content:
    if isinstance(picture, Content):
        return picture
    if _LOCAL in picture:
        return unquote(picture.partition(_LOCAL)[2])
    if picture.startswith(_UPLOAD):
        return unquote(picture.rpartition("/")[2])
    return picture
