"""Sentences as lines that the reader of ``.jsonl`` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmseq import escaping
from mmseq.contracts.example import OPEN, Example


def json_line(example: Example, images: Iterable[str]) -> str:
    """A sentence as a line of JSON with its end; `images`: names in terms of the picture folder."""
    return escaping.json_line(record(example, images)) + "\n"


def record(example: Example, images: Iterable[str], **more: Any) -> dict[str, Any]:
    """A sentence as an object that the reader of ``.jsonl`` reads; `images` as in `json_line`,
    `more`: what stands behind its id. A further field of the name of another is left out.
    """
    facts: dict[str, Any] = {"id": example.id} if example.id else {}
    facts |= {**more, "tokens": list(example.tokens)}
    if example.tags is not None:
        facts["tags"] = [None if tag == OPEN else tag for tag in example.tags]
    facts["images"] = list(images)
    return {**facts, **{k: v for k, v in example.extras.items() if k not in facts}}
