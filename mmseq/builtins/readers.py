"""The reader of JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmseq.contracts.example import OPEN, Example
from mmseq.contracts.reader import Reader
from mmseq.data.json_fields import (
    OWN,
    JsonFields,
    checked_fields,
    checked_tag_names,
    named_tags,
    picture_names,
    take,
)
from mmseq.data.json_values import id_of, require_names, require_words, strings
from mmseq.data.reading import lines_of
from mmseq.errors import UserError

_BLANK = " \t"
_ARRAY = (
    "JSON over several lines, or an array: `mmseq data import json` makes lines of it, one object "
    "each"
)


class JsonlReader(Reader):
    """One object per line: "tokens" and, if present, "id", "tags", "images"; the rest is kept.

    "images" is a list of file names or one name; null among the "tags" leaves a word open. Where
    one of "tokens", "tags" and "images" is absent, the field that others call so is read
    (``words``, ``ner_tags``, ``labels``, ``image``, ``image_id`` …), unless `fields` says which:
    ``{"tags": "ner_tags"}``; an empty name: none. Numbers as tags are places in `tag_names`, from
    0. Further fields, others' names among them, become `Example.extras` as they are. Blank lines
    are skipped. UTF-8.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)
    example_file: ClassVar[str] = (
        '{"id": "a", "tokens": ["Anna", "ran"], "tags": ["B-PER", "O"], "images": ["1.jpg"]}\n'
        '{"tokens": ["in", "Oslo"], "tags": ["O", "B-LOC"], "mood": "calm"}\n'
    )

    def __init__(
        self, fields: Mapping[str, str] | None = None, tag_names: Sequence[str] | None = None
    ) -> None:
        self.fields = checked_fields(fields)
        self.tag_names = checked_tag_names(tag_names)

    def read(self, path: Path) -> Iterator[Example]:
        fields = JsonFields(self.fields)
        for number, line in lines_of(path, self.fault):
            if not line.strip(_BLANK):
                continue
            where = f"{path}:{number}"
            try:
                example = self._example(path, number, line, fields)
            except UserError as error:
                what = str(error).removeprefix(f"{where}: ")
                # Which entry or value it is makes no other kind.
                self.fault(where, what, re.sub(r"\d+|'[^']*'|\([^)]*\)", "", what))
                continue
            yield example
        for note in fields.lines(path):
            self.note(note)
        if self.tag_names and fields.numbered is False:
            self.note(f"{path}: no tag is a number: data.tag_names, --tag-names do nothing.")

    def _example(self, path: Path, number: int, line: str, fields: JsonFields) -> Example:
        where = f"{path}:{number}"
        record = _object(where, line)
        names = {own: fields.name(record, own, where) for own in OWN}
        name, found = names["tokens"], {own: take(record, names[own]) for own in OWN}
        if name is None:
            what = 'the object needs "tokens", a list of words.'
            raise UserError(f"{where}: {what}{_elsewhere(record)}")
        if isinstance(found["tokens"], list) and any(isinstance(t, dict) for t in found["tokens"]):
            what = f'"{name}" holds objects, not words.{_elsewhere(record)}'
            raise UserError(f"{where}: {what}")
        tokens = strings(where, name, found["tokens"])
        if not tokens:
            raise UserError(f'{where}: "{name}" is empty; add its words or remove the line.')
        require_words(where, name, tokens)
        tags = found["tags"]
        if tags is not None:
            fields.numbered = fields.numbered or _has_numbers(tags)
            tags = _tags(where, str(names["tags"]), tags, len(tokens), self.tag_names)
        pictures = strings(where, names["images"] or "images", picture_names(found["images"]))
        require_names(where, names["images"] or "images", pictures)
        title = id_of(where, record.pop("id", None), f"{path.stem}-{number}")
        return Example(
            tokens,
            tags,
            tuple(Path(picture) for picture in pictures),
            title,
            record,
            path,
            number,
        )


def _has_numbers(tags: Any) -> bool:
    return isinstance(tags, list) and any(type(tag) is int for tag in tags)


def _elsewhere(record: Mapping[str, Any]) -> str:
    """What to do with an object of another tool: a text, and what is marked in it."""
    told = any(isinstance(record.get(name), str) for name in ("text", "data", "sentence"))
    told = told or isinstance(record.get("spans"), list)
    return " Annotations over a text: convert them with `mmseq data import`." if told else ""


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 column", "column")
        if _is_object(line.rstrip().removesuffix(",")):
            raise UserError(f"{where}: a comma behind the object; remove it.") from error
        whole = line.lstrip()[:1] in "[{" and line.rstrip()[-1:] in "[{,"
        remedy = _ARRAY if whole else "write one object per line"
        raise UserError(f"{where}: not JSON ({reason}); {remedy}.") from error
    if isinstance(record, list):
        raise UserError(f"{where}: not a JSON object but an array; {_ARRAY}.")
    if not isinstance(record, dict):
        raise UserError(f'{where}: not a JSON object; write {{"tokens": […], "tags": […]}}.')
    return record


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _tags(
    where: str, name: str, value: Any, words: int, tag_names: Sequence[str]
) -> tuple[str, ...]:
    if isinstance(value, list):
        value = [OPEN if tag is None else tag for tag in value]
        value = named_tags(where, name, value, tag_names)
    tags = strings(where, name, value)
    if len(tags) != words:
        raise UserError(
            f'{where}: {words} "tokens" but {len(tags)} "{name}"; give every word a tag.'
        )
    return tags
