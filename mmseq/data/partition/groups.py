"""Sentences that must stay together, since what is learned from one would be known of the other."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.files import sha256_of

DOCUMENT = "document"
"""The field that keeps sentences of one text together, where the data have it"""


def groups_of(examples: Iterable[Example], fields: Sequence[str] = ()) -> list[list[int]]:
    """Numbers of the sentences of each group, from 0, in the order of the groups' first.

    Two sentences are in one group where they have the same words, a picture of the same name or
    content, or an equal value of one of `fields`; and where a chain of such pairs joins them.
    """
    above: list[int] = []
    first: dict[Hashable, int] = {}
    contents: dict[Path, str] = {}

    def root(number: int) -> int:
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    for number, example in enumerate(examples):
        above.append(number)
        for key in _keys(example, fields, contents):
            a, b = root(first.setdefault(key, number)), root(number)
            above[max(a, b)] = min(a, b)
    groups: dict[int, list[int]] = {}
    for number in range(len(above)):
        groups.setdefault(root(number), []).append(number)
    return list(groups.values())


def _keys(
    example: Example, fields: Sequence[str], contents: dict[Path, str]
) -> Iterator[tuple[str, Hashable]]:
    # A digest, since the words of very many sentences would fill the memory.
    yield "words", blake2b(json.dumps(example.tokens).encode(), digest_size=16).digest()
    for path in example.images:
        yield "name", str(path)
        if content := _content(path, contents):
            yield "content", content
    for field in fields:
        value = example.extras.get(field)
        if value is not None:
            yield f"field {field}", json.dumps(value, sort_keys=True)


def _content(path: Path, contents: dict[Path, str]) -> str:
    """The checksum of a picture; empty where there is no such file or it cannot be read."""
    if path not in contents:
        try:
            contents[path] = sha256_of(path)
        except (OSError, ValueError):
            contents[path] = ""
    return contents[path]
