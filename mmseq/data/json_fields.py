"""What the fields of JSON objects are called: words, tags and pictures by their own names, else by
those that others give them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmseq.contracts.example import OPEN
from mmseq.data.picture_folder import has_picture_suffix
from mmseq.data.tag_faults import type_fault
from mmseq.data.tags import TAG_FORM, is_tag
from mmseq.errors import UserError, did_you_mean

OWN = ("tokens", "tags", "images")
OTHERS: Mapping[str, frozenset[str]] = {
    "tokens": frozenset(
        {"tokens", "token", "words", "word", "tokenizedtext", "sentence", "text", "chars"}
        | {"characters"}
    ),
    "tags": frozenset(
        {"tags", "tag", "nertags", "nertag", "ner", "nerlabels", "labels", "label", "biotags"}
        | {"iobtags", "entitytags", "wordlabels", "tokenlabels", "seqlabels"}
    ),
    "images": frozenset(
        {"images", "image", "imgs", "img", "pictures", "picture", "pics", "pic", "photos", "photo"}
        | {f"{what}{part}" for what in ("image", "img", "picture", "pic", "photo")
           for part in ("id", "ids", "path", "paths", "file", "files", "name", "names",
                        "filename", "filenames")}
        | {"filename", "filenames"}
    ),
}  # fmt: skip
"""Others' names in small letters, without ``_``, ``-`` and spaces"""
SPANS = ("spans", "entities", "annotation", "annotations", "mentions", "entity_spans")
_NUMBERED = re.compile(r"(id|ids)$")
DOCUMENT = frozenset({"filename", "filenames"})
"""Names that mean a picture only where its ending says so"""


def checked_fields(fields: Mapping[str, str] | None) -> dict[str, str]:
    """Names of fields as the user gives them; `UserError` for those of which there are none."""
    for name, value in (fields or {}).items():
        if name not in OWN:
            raise UserError(
                f"data.fields: unknown '{name}'.{did_you_mean(name, OWN)} Its keys: "
                f"{', '.join(OWN)}."
            )
        if not isinstance(value, str):
            raise UserError(f"data.fields.{name} is {value!r}; give the name of a field.")
    return dict(fields or {})


def checked_tag_names(names: Sequence[str] | None) -> tuple[str, ...]:
    """Tags, or types of scheme IO, by their number, from 0; `UserError` for what is neither."""
    for number, name in enumerate(names or ()):
        if not isinstance(name, str) or (not is_tag(name) and type_fault(name)):
            raise UserError(f"data.tag_names: {name!r}, number {number}, is not a tag; {TAG_FORM}.")
    return tuple(names or ())


@dataclass
class JsonFields:
    """Finds the fields of the objects of one file, and remembers which were read for what."""

    said: Mapping[str, str] = field(default_factory=dict)
    """Of `OWN`, the names of fields that the user says; an empty one: there is none"""
    found: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of `OWN`, others' names that were read, and in how many objects"""
    unfit: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Names of what should be tags and is not -> where first, and in how many objects"""
    numbered: bool | None = None
    """Whether a tag was a number; None before any tags were read"""

    def name(self, record: Mapping[str, Any], own: str, where: str) -> str | None:
        """The field of an object that holds its `own` (one of `OWN`); None where it has none.

        `UserError` where others' names would give two.
        """
        if own in self.said:
            said = self.said[own]
            if said in record:
                self._note(own, said)
                return said
            return None
        if own in record:
            return own
        names = [
            key
            for key, value in record.items()
            if bare(key) in OTHERS[own] and _fits(own, key, value, self._words(record))
        ]
        if len(names) > 1:
            raise UserError(
                f'{where}: no "{own}", but {_quoted(names)} may be it; say which: '
                f'data.fields = {{{own} = "{names[0]}"}} (--fields {own}={names[0]}).'
            )
        if names:
            self._note(own, names[0])
            return names[0]
        if own == "tags":
            self._no_tags(record, where)
        return None

    def _no_tags(self, record: Mapping[str, Any], where: str) -> None:
        """Remember what by its name should be tags and is not: the sentence seems to have none."""
        for key, value in record.items():
            spans = key in SPANS and isinstance(value, list)
            if value and (spans or bare(key) in OTHERS["tags"]):
                first, number = self.unfit.get(key, (where, 0))
                self.unfit[key] = (first, number + 1)

    def _words(self, record: Mapping[str, Any]) -> int:
        """How many words an object has, as far as can be told."""
        said = self.said.get("tokens", "tokens")
        lists = [record[said]] if said in record else []
        lists += [value for key, value in record.items() if bare(key) in OTHERS["tokens"]]
        return next((len(value) for value in lists if isinstance(value, list)), 0)

    def _note(self, own: str, name: str) -> None:
        counts = self.found.setdefault(own, {})
        counts[name] = counts.get(name, 0) + 1

    def lines(self, path: Path) -> list[str]:
        """What is said of a file: which fields were read as what, and which were not there."""
        absent = [
            f"{path}: no object has the field '{said}', which data.fields names for '{own}'."
            for own, said in self.said.items()
            if said and said not in self.found.get(own, {})
        ]
        read = [
            f"{path}: field '{name}' is read as '{own}' ({number:,} of the objects)."
            for own, names in self.found.items()
            if own not in self.said
            for name, number in names.items()
        ]
        unread = [
            f"{first}: no tags: '{name}' is not a list of one for each word ({number:,} of the "
            "objects; this is the first). Spans of a text are converted by `mmseq data import`."
            for name, (first, number) in self.unfit.items()
        ]
        return absent + read + unread


def take(record: dict[str, Any], name: str | None) -> Any:
    """A field's value, None where there is none; one that is called as others call it stays."""
    if name is None:
        return None
    return record.pop(name) if name in OWN else record[name]


def named_tags(
    where: str, name: str, value: Sequence[Any], names: Sequence[str]
) -> list[str | None | Any]:
    """Tags in which numbers are replaced by their names; `UserError` for numbers without."""
    tags: list[Any] = []
    for index, tag in enumerate(value):
        tag = _number(tag, strings=bool(names))
        if not isinstance(tag, int) or isinstance(tag, bool):
            tags.append(tag)
        elif not names:
            raise UserError(
                f'{where}: "{name}", entry {index + 1} is {tag}: numbers need the names of tags: '
                'data.tag_names = ["O", "B-PER", …] (--tag-names O,B-PER,…).'
            )
        elif not 0 <= tag < len(names):
            raise UserError(
                f'{where}: "{name}", entry {index + 1} is {tag}, but data.tag_names has '
                f"{len(names)} names, 0 to {len(names) - 1}; give all of them."
            )
        else:
            tags.append(names[tag])
    return tags


def _number(value: Any, *, strings: bool) -> Any:
    """The whole number that a fraction such as 1.0 is, as pandas writes numbers beside gaps, or,
    if `strings`, one in quotes; anything else as it is.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if strings and isinstance(value, str) and value.isdecimal() else value


def picture_names(value: Any) -> Any:
    """A list of names from what others write: one name, a number, ``{"path": …}``, or a list of
    such; anything else as it is.
    """
    if isinstance(value, list):
        return [_picture_name(entry) for entry in value]
    name = _picture_name(value)
    return [] if name is None else [name] if isinstance(name, str) else name


def _picture_name(entry: Any) -> Any:
    if isinstance(entry, Mapping) and isinstance(entry.get("path"), str):
        return entry["path"]
    entry = _number(entry, strings=False)
    if isinstance(entry, int) and not isinstance(entry, bool):
        return str(entry)
    return entry


def _fits(own: str, key: str, value: Any, words: int) -> bool:
    """Whether a field under another's name can be that: a class of the whole sentence is no tags,
    a list of features no picture.
    """
    if own == "tokens":
        return bool(value) and isinstance(value, list) and _all(value, str)
    if own == "images":
        return _names_pictures(bare(key), value)
    if not isinstance(value, list) or not value:
        return False
    tags = [OPEN if tag is None else _number(tag, strings=False) for tag in value]
    # Too few tags are an error of their own.
    are_tags = _all(tags, str) and all(map(is_tag, tags))
    return are_tags or (len(tags) == words and (_all(tags, str) or _all(tags, int)))


def _names_pictures(key: str, value: Any) -> bool:
    """`key`: the field's name as it stands in `OTHERS`."""
    names = picture_names(value)
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        return False
    if key in DOCUMENT and not all(map(has_picture_suffix, names)):
        return False
    # A number is a name only where it is called so: else it is a class, or a count.
    values = value if isinstance(value, list) else [value]
    numbers = all(isinstance(_number(entry, strings=False), int) for entry in values)
    return bool(names) and (bool(_NUMBERED.search(key)) or not numbers)


def _all(value: Any, kind: type) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(entry, kind) and not isinstance(entry, bool) for entry in values)


def bare(name: str) -> str:
    """A field's name as it stands in `OTHERS`."""
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
