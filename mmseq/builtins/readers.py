"""The reader of JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from mmseq.contracts.example import OPEN, Example
from mmseq.contracts.reader import Reader
from mmseq.data.reading import lines_of
from mmseq.errors import UserError

_BLANK = " \t"


class JsonlReader(Reader):
    """One object per line: "tokens" and, if present, "id", "tags", "images"; the rest is kept.

    "images" is a list of file names or one name; null among the "tags" leaves a word open. Further
    fields become `Example.extras` as they are. Blank lines are skipped. UTF-8.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)
    example_file: ClassVar[str] = (
        '{"id": "a", "tokens": ["Anna", "ran"], "tags": ["B-PER", "O"], "images": ["1.jpg"]}\n'
        '{"tokens": ["in", "Oslo"], "tags": ["O", "B-LOC"], "mood": "calm"}\n'
    )

    def read(self, path: Path) -> Iterator[Example]:
        for number, line in lines_of(path):
            if not line.strip(_BLANK):
                continue
            where = f"{path}:{number}"
            try:
                example = _from_json(path, number, line)
            except UserError as error:
                what = str(error).removeprefix(f"{where}: ")
                # Which entry or value it is makes no other kind.
                self.fault(where, what, re.sub(r"\d+|'[^']*'|\([^)]*\)", "", what))
                continue
            yield example


def _from_json(path: Path, number: int, line: str) -> Example:
    where = f"{path}:{number}"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 column", "column")
        raise UserError(f"{where}: not JSON ({reason}); write one object per line.") from error
    if not isinstance(record, dict):
        raise UserError(f'{where}: not a JSON object; write {{"tokens": […], "tags": […]}}.')
    if "tokens" not in record:
        raise UserError(f'{where}: the object needs "tokens", a list of words.')
    tokens = _strings(where, "tokens", record.pop("tokens"))
    if not tokens:
        raise UserError(f'{where}: "tokens" is empty; add its words or remove the line.')
    for index, token in enumerate(tokens):
        if not token.strip(" \t\r\n"):
            raise UserError(f'{where}: "tokens", entry {index + 1}: an empty word; remove it.')
    tags = record.pop("tags", None)
    if tags is not None:
        tags = _tags(where, tags, len(tokens))
    images = record.pop("images", None)
    images = [images] if isinstance(images, str) else images
    pictures = () if images is None else _strings(where, "images", images)
    if "" in pictures:
        raise UserError(f'{where}: "images" has an empty name; remove it.')
    name = record.pop("id", None)
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
        raise UserError(f'{where}: "id" is {name!r}; make it a string.')
    return Example(
        tokens,
        tags,
        tuple(Path(picture) for picture in pictures),
        f"{path.stem}-{number}" if name in (None, "") else str(name),
        record,
        path,
        number,
    )


def _tags(where: str, value: Any, words: int) -> tuple[str, ...]:
    if isinstance(value, list):
        value = [OPEN if tag is None else tag for tag in value]
    tags = _strings(where, "tags", value)
    if len(tags) != words:
        raise UserError(f'{where}: {words} "tokens" but {len(tags)} "tags"; give every word a tag.')
    return tags


def _strings(where: str, field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UserError(f'{where}: "{field}" is {_kind(value)}; make it a list of strings.')
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise UserError(
                f'{where}: "{field}", entry {index + 1} is {_kind(entry)}; make it a string.'
            )
    try:
        "".join(value).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f'{where}: "{field}" holds half a character (\\ud800 to \\udfff); write both halves.'
        ) from error
    return tuple(value)


def _kind(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return f"{shown if len(shown) <= 30 else shown[:30] + '…'} ({type(value).__name__})"
