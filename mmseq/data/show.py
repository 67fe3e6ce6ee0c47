"""Sentences as they were read, one after the other: for people, and as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import isfile
from pathlib import Path
from typing import Any

from mmseq.contracts.example import Example
from mmseq.data import json_lines
from mmseq.data.picture_names import in_folder, shown
from mmseq.escaping import code


def record(example: Example, image_folder: Path) -> dict[str, Any]:
    """A sentence as an object that the reader of ``.jsonl`` reads, with its `line` of the file.

    `images`: as they stand in the data, in terms of the picture folder.
    """
    names = [in_folder(path, image_folder) for path in example.images]
    return json_lines.record(example, names, line=example.line)


def lines(example: Example, image_folder: Path) -> Iterator[str]:
    """A sentence as two lines: where it stands and its pictures; words, with tags other than O.

    What cannot be seen, such as a zero-width space, is written as its code point.
    """
    name = f"  {example.id}" if example.id else ""
    pictures = [
        shown(in_folder(path, image_folder)) + ("" if isfile(path) else " (missing)")
        for path in example.images
    ]
    images = f"  pictures: {', '.join(pictures)}" if pictures else ""
    yield visible(f"{example.where}{name}{images}")
    tags = example.tags or ("O",) * len(example.tokens)
    words = zip(example.tokens, tags, strict=True)
    yield visible("  " + " ".join(w if tag == "O" else f"{w}/{tag}" for w, tag in words))


def visible(text: str) -> str:
    """The text with each character that has no width or moves the cursor as ``\\uXXXX``."""
    return "".join(c if c.isprintable() else code(c) for c in text)
