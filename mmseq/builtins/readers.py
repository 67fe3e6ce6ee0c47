"""Readers of the two file formats of the engine: CoNLL columns and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmseq.builtins.imgid import picture_of
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
from mmseq.data.picture_folder import has_picture_suffix
from mmseq.data.picture_names import elsewhere
from mmseq.data.reading import decoded
from mmseq.data.tags import TAG_FORM, is_tag
from mmseq.errors import UserError

_BLANK = " \t"


class ConllReader(Reader):
    """A word and its tag per line, a blank line between sentences, `IMGID:` for the picture.

    The word is the first column, the tag the last; columns are separated by tabs, in a line
    without a tab by spaces. `IMGID:17_06_1` lines stand before a sentence's first word and name
    the picture ``17_06_1.jpg``. Lines that begin with ``-DOCSTART-`` are skipped. With one column
    everywhere the sentences have no tags; the tag `?` leaves a word open. UTF-8. Only a line feed
    (or carriage return and line feed) ends a line, since words may hold any other character.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".conll", ".bio")
    word_per_line: ClassVar[bool] = True
    example_file: ClassVar[str] = (
        "IMGID:17_06_1\nAnna\tB-PER\nran\tO\n\nIMGID:17_06_2\nIMGID:17_06_3\nin\tO\nOslo\tB-LOC\n"
    )

    def read(self, path: Path) -> Iterator[Example]:
        sentence = _Sentence(path, 1)
        untagged = tagged = 0
        for number, line in _lines(path):
            if not line.strip(_BLANK) or line.startswith("-DOCSTART-"):
                if sentence.started:
                    yield sentence.example()
                    sentence = _Sentence(path, sentence.number + 1)
            elif (picture := picture_of(line)) is not None:
                sentence.add_picture(number, line, picture)
            else:
                has_tag = sentence.add_word(number, line)
                tagged = tagged or number * has_tag
                untagged = untagged or number * (not has_tag)
                if tagged and untagged:
                    raise UserError(
                        f"{path}:{untagged}: no tag, but line {tagged} has one; add the tag after "
                        "a tab (O outside entities), or remove the tags of the whole file."
                    )
        if sentence.started:
            yield sentence.example()


class _Sentence:
    """What has been read of a sentence."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self.number = number
        self._pictures: list[str] = []
        self._picture_line = 0
        self._first = 0
        self._tokens: list[str] = []
        self._tags: list[str] = []

    @property
    def started(self) -> bool:
        return bool(self._pictures or self._tokens)

    def add_picture(self, number: int, line: str, name: str) -> None:
        if not name:
            raise UserError(f"{self._path}:{number}: '{line}' without a name; add it.")
        if self._tokens:
            raise UserError(
                f"{self._path}:{number}: '{line}' stands inside a sentence; put a blank line "
                "before it."
            )
        self._pictures.append(name)
        self._picture_line = number

    def add_word(self, number: int, line: str) -> bool:
        """Take up a word's line; whether it has a tag."""
        text = line.rstrip(_BLANK)
        columns = text.split("\t") if "\t" in text else [c for c in text.split(" ") if c]
        token, tag = columns[0], columns[-1].strip(" ")
        if not token.strip(_BLANK):
            raise UserError(f"{self._path}:{number}: no word before the tab; add the word.")
        self._first = self._first or number
        self._tokens.append(token)
        if len(columns) == 1:
            return False
        if not is_tag(tag):
            raise UserError(
                f"{self._path}:{number}: '{tag}', the last column, is not a tag; {TAG_FORM}."
            )
        self._tags.append(tag)
        return True

    def example(self) -> Example:
        if not self._tokens:
            raise UserError(
                f"{self._path}:{self._picture_line}: no word follows "
                f"'IMGID:{self._pictures[-1]}'; add the words or remove the line."
            )
        return Example(
            tuple(self._tokens),
            tuple(self._tags) if self._tags else None,
            tuple(_picture(name) for name in self._pictures),
            self._pictures[0] if self._pictures else f"{self._path.stem}-{self.number}",
            file=self._path,
            line=self._first,
        )


def _picture(name: str) -> Path:
    return Path(name if has_picture_suffix(name) or elsewhere(name) else f"{name}.jpg")


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
        for number, line in _lines(path):
            if line.strip(_BLANK):
                yield self._example(path, number, line, fields)
        for note in fields.lines(path):
            self.note(note)

    def _example(self, path: Path, number: int, line: str, fields: JsonFields) -> Example:
        where = f"{path}:{number}"
        record = _object(where, line)
        names = {own: fields.name(record, own, where) for own in OWN}
        name, found = names["tokens"], {own: take(record, names[own]) for own in OWN}
        if name is None:
            raise UserError(f'{where}: the object needs "tokens", a list of words.')
        tokens = _strings(where, name, found["tokens"])
        if not tokens:
            raise UserError(f'{where}: "{name}" is empty; add its words or remove the line.')
        for index, token in enumerate(tokens):
            if not token.strip(" \t\r\n"):
                raise UserError(f'{where}: "{name}", entry {index + 1}: an empty word; remove it.')
        tags = found["tags"]
        if tags is not None:
            tags = _tags(where, str(names["tags"]), tags, len(tokens), self.tag_names)
        pictures = _strings(where, names["images"] or "images", picture_names(found["images"]))
        if "" in pictures:
            raise UserError(f'{where}: "{names["images"]}" has an empty name; remove it.')
        title = record.pop("id", None)
        if title is not None and (isinstance(title, bool) or not isinstance(title, str | int)):
            raise UserError(f'{where}: "id" is {title!r}; make it a string.')
        return Example(
            tokens,
            tags,
            tuple(Path(picture) for picture in pictures),
            f"{path.stem}-{number}" if title in (None, "") else str(title),
            record,
            path,
            number,
        )


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 column", "column")
        raise UserError(f"{where}: not JSON ({reason}); write one object per line.") from error
    if not isinstance(record, dict):
        raise UserError(f'{where}: not a JSON object; write {{"tokens": […], "tags": […]}}.')
    return record


def _tags(
    where: str, name: str, value: Any, words: int, tag_names: Sequence[str]
) -> tuple[str, ...]:
    if isinstance(value, list):
        value = [OPEN if tag is None else tag for tag in value]
        value = named_tags(where, name, value, tag_names)
    tags = _strings(where, name, value)
    if len(tags) != words:
        raise UserError(
            f'{where}: {words} "tokens" but {len(tags)} "{name}"; give every word a tag.'
        )
    for index, tag in enumerate(tags):
        if not is_tag(tag):
            raise UserError(
                f"{where}: \"{name}\", entry {index + 1}: '{tag}' is not a tag; {TAG_FORM}."
            )
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


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines without their ends; a byte order mark is dropped."""
    try:
        # A line at a time: files may be larger than memory.
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the file.") from error
    with file:
        yield from decoded(path, file)
