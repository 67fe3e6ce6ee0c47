"""Sentences as lines that the reader of ``.jsonl`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mmseq.contracts.example import OPEN, Example


def json_line(example: Example, images: Iterable[str]) -> str:
    """A sentence as a line of JSON with its end; `images`: names in terms of the picture folder."""
    record: dict[str, Any] = {"id": example.id} if example.id else {}
    record["tokens"] = list(example.tokens)
    if example.tags is not None:
        record["tags"] = [None if tag == OPEN else tag for tag in example.tags]
    record["images"] = list(images)
    record |= {k: v for k, v in example.extras.items() if k not in record}
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        # Half a character in a further field: only an escape can write it.
        line = json.dumps(record)
    return line + "\n"
