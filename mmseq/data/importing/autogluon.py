"""AutoGluon's tables for entities, as its MultiModalPredictor takes them.

    text_snippet,entity_annotations,image
    "Anna lives","[{""entity_group"": ""PER"", ""start"": 0, ""end"": 4}]",1.jpg

The columns may have other names, which the user says; a cell may name several pictures, with ``;``
between. Where every span is a word with a prefix (``B-PER``, ``I-PER``), such spans become one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmseq.data.importing import csv_table
from mmseq.data.importing.documents import CharSpan, Document, Item, Naming


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """A row a text."""
    for item in csv_table.read(path, naming):
        if isinstance(item, Document):
            yield replace(item, spans=joined(item.text, item.spans))
        else:
            yield item


def joined(text: str, spans: tuple[CharSpan, ...]) -> tuple[CharSpan, ...]:
    """Spans ``B-X``, and ``I-X`` with at most white space before them, as one of type X; others as
    they are, unless all have such prefixes.
    """
    if not all(span.type[:2] in ("B-", "I-") and span.type[2:] for span in spans):
        return spans
    whole: list[CharSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        kind = span.type[2:]
        last = whole[-1] if whole else None
        goes_on = last is not None and span.type[0] == "I" and last.type == kind
        if last is not None and goes_on and not text[last.end : span.start].strip():
            whole[-1] = replace(last, end=max(last.end, span.end), text=None)
        else:
            whole.append(replace(span, type=kind))
    return tuple(whole)
