"""Columns of a file: how they are separated, how many there are, which holds what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmseq.data.tags import is_tag
from mmseq.errors import UserError, counted, unknown

NAMES = ("word", "tag")
DOCUMENT = "-DOCSTART-"
"""What a line begins with, or its word is, that stands between documents"""
_KEYED = re.compile(r"# +[^\s=]+ += ?")
_DOCUMENT = re.compile(r"#(begin|end) document\b")
_MARK = re.compile(r"###\S+\s*$")
"""A line of its own, such as ``###MEDLINE:95369245``"""
_HEAD_WORDS = {"word", "words", "token", "tokens", "form", "text"}
_HEAD_TAGS = {
    *("tag", "tags", "ner", "ner_tag", "ner_tags", "nertag", "label", "labels", "entity"),
    *("entities", "bio", "iob", "iob2", "tag_ner", "named_entity", "target"),
}

Column = int | str


def option(word: Column, tag: Column) -> str:
    """How columns are named, in a config and on the command line."""

    def toml(value: Column) -> str:
        return f'"{value}"' if isinstance(value, str) else str(value)

    table = f"{{word = {toml(word)}, tag = {toml(tag)}}}"
    return f"data.columns = {table}, --columns word={word},tag={tag}"


def checked_columns(given: Mapping[str, Column] | None) -> dict[str, Column]:
    """What the user says of columns; `UserError` for an unknown name or an impossible number."""
    for name, value in (given or {}).items():
        if name not in NAMES:
            raise unknown("column", name, NAMES)
        if value == 0 and name == "word":
            raise UserError("Column 'word' is 0: columns are counted from 1, from the end below 0.")
    return dict(given or {})


def by_number(text: str) -> list[str]:
    """Cells of a line as its own separator has them: tabs, or else spaces."""
    text = text.rstrip(" \t")
    if "\t" in text:
        return text.split("\t")
    return [cell for cell in text.split(" ") if cell]


def may_be_comment(line: str) -> bool:
    """Whether a line may be a comment: ``#`` and a space, a mark of CoNLL-2012, or ``###…``."""
    return line.startswith(("# ", "#\t")) or bool(_DOCUMENT.match(line) or _MARK.match(line))


def is_keyed(line: str) -> bool:
    """Whether it is one whatever the words look like: ``# key = …``, ``#begin document``."""
    return bool(_KEYED.match(line) or _DOCUMENT.match(line))


@dataclass(frozen=True)
class Layout:
    """What the first line of words says of all others."""

    number: int
    """Of columns"""
    tabbed: bool | None
    """Tabs separate them, or spaces; None: there is one"""
    line: int
    """Where that was seen"""
    word: int
    """Index of the column, from 0"""
    tag: int | None
    """None: there are no tags"""
    header: bool = False
    """That line holds names"""

    @classmethod
    def of(
        cls, where: str, line: int, text: str, given: Mapping[str, Column], names: str
    ) -> Layout:
        """The layout of a file whose first line of words is `text`; `names`: those of CoNLL-U
        Plus, if there are any.
        """
        cells = by_number(text)
        named = any(isinstance(value, str) for value in given.values())
        heads = (names.split() or cells) if named else []
        number = len(cells)
        word = _index(where, "word", given.get("word", 1), number, heads)
        tag = None
        if given.get("tag", -1) != 0:
            tag = _index(where, "tag", given.get("tag", -1), number, heads)
        if tag == word:
            if "tag" in given and "word" in given:
                raise UserError(f"{where}: column {word + 1} cannot hold both word and tag.")
            tag = None
        tabbed = "\t" in text.rstrip(" \t") if number > 1 else None
        return cls(number, tabbed, line, word, tag, named and not names)

    def cells(self, text: str) -> list[str]:
        """The cells of a line; as many as there are, if it has as many in any reading."""
        if self.tabbed is False or (self.tabbed is None and "\t" not in text.rstrip(" \t")):
            return by_number(text)
        # An empty last column is one where the other lines have it.
        kept = text.split("\t")
        return kept if len(kept) == self.number else by_number(text)

    def alike(self, text: str) -> bool:
        """Whether the columns of a line are separated as those of the first are."""
        return self.tabbed is None or ("\t" in text.rstrip(" \t")) == self.tabbed


def _index(where: str, name: str, value: Column, number: int, heads: list[str]) -> int:
    if isinstance(value, str):
        folded = [head.strip().casefold() for head in heads]
        for wanted, among in ((value, heads), (value.casefold(), folded)):
            if among.count(wanted) == 1:
                return among.index(wanted)
        raise UserError(
            f"{where}: no column is called '{value}' ({name}) in this first line; its names: "
            f"{', '.join(heads)}."
        )
    index = value - 1 if value > 0 else number + value
    if not 0 <= index < number:
        columns = counted(number, "column")
        raise UserError(f"{where}: {columns}, so that column {value} ({name}) is not there.")
    return index


def other_format(path: Path, line: str) -> str:
    """What a file's first line of words is where it is none; empty: it may be one."""
    bare = line.strip()
    if bare[:1] == "{" and bare[-1:] == "}":
        return f"JSON, not columns; name the file {path.stem}.jsonl."
    if re.match(r"<(\?xml|!doctype|html|!--)", bare, re.IGNORECASE):
        return "XML or HTML, not columns; write a word and its tag a line."
    return ""


def header_remedy(cells: list[str]) -> str:
    """What to do about a line of names; empty where it is none."""
    folded = [cell.strip('" ').casefold() for cell in cells]
    words = [c for c, f in zip(cells, folded, strict=True) if f in _HEAD_WORDS]
    tags = [c for c, f in zip(cells, folded, strict=True) if f in _HEAD_TAGS]
    if not words or not tags or any(map(is_tag, cells)):
        return ""
    said = next((c for c, f in zip(cells, folded, strict=True) if f.startswith("sent")), "")
    table = f" Where '{said}' and no blank line ends sentences: `mmseq data import csv`."
    return (
        f"a line of names, not of a word; name the columns with {option(words[0], tags[-1])}, or "
        f"remove the line.{table if said else ''}"
    )
