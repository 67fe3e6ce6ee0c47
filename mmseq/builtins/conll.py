"""The reader of CoNLL columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from mmseq.builtins.column_notes import Notes, is_contraction
from mmseq.builtins.columns import (
    DOCUMENT,
    Column,
    Layout,
    checked_columns,
    header_remedy,
    is_keyed,
    may_be_comment,
    other_format,
)
from mmseq.builtins.imgid import picture_of
from mmseq.builtins.sentence import Sentence
from mmseq.builtins.wrong_column import Suspicion
from mmseq.contracts.example import Example
from mmseq.contracts.reader import Reader
from mmseq.data.invisible import code_point, is_blank, is_odd
from mmseq.data.json_fields import checked_tag_names
from mmseq.data.reading import lines_of
from mmseq.data.tags import is_tag
from mmseq.errors import UserError, counted

_GLOBAL = "# global.columns ="


class ConllReader(Reader):
    """A word and its tag per line, a blank line between sentences, `IMGID:` for the picture.

    The word is the first column, the tag the last, unless `columns` says otherwise: ``{word = 2,
    tag = 3}``, from 1, from the end below 0, or by the names in the file's first line; tag 0: there
    is none. Columns are separated by tabs, or by spaces where there are no tabs; every line has as
    many. `IMGID:17_06_1` lines stand before a sentence's first word and name the picture
    ``17_06_1.jpg``. Lines that begin with ``-DOCSTART-`` are skipped, and before a sentence's first
    word comments: ``# key = …``, or ``#``, a space, and another number of columns than words have.
    With one column everywhere the sentences have no tags; the tag `?` leaves a word open; numbers
    as tags are places in `tag_names`, from 0. UTF-8.
    Only a line feed (or carriage return and line feed) ends a line, since words may hold any other
    character; in a file without any, a carriage return does.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".conll", ".bio")
    word_per_line: ClassVar[bool] = True
    example_file: ClassVar[str] = (
        "IMGID:17_06_1\nAnna\tB-PER\nran\tO\n\nIMGID:17_06_2\nIMGID:17_06_3\nin\tO\nOslo\tB-LOC\n"
    )

    def __init__(
        self,
        columns: Mapping[str, Column] | None = None,
        tag_names: Sequence[str] | None = None,
    ) -> None:
        self.columns = checked_columns(columns)
        self.tag_names = checked_tag_names(tag_names)

    def read(self, path: Path) -> Iterator[Example]:
        return _File(self, path).examples()

    def tag(self, cell: str) -> str:
        """The tag that a cell means: of a number its name, where there is one."""
        number = cell.strip() if self.tag_names else ""
        known = number.isdecimal() and int(number) < len(self.tag_names)
        return self.tag_names[int(number)] if known else cell


class _File:
    """One file while it is read."""

    def __init__(self, reader: ConllReader, path: Path) -> None:
        self.reader, self.path = reader, path
        self._layout: Layout | None = None
        self._suspicion: Suspicion | None = None
        self._names = ""
        self._told = Notes()
        self._sentence = Sentence(1)

    def examples(self) -> Iterator[Example]:
        held: list[Example] = []
        try:
            for number, line in self._lines():
                example = self._line(number, line)
                if example is not None:
                    held.append(example)
                if held and not (self._suspicion and self._suspicion.open):
                    yield from held
                    held.clear()
            if (example := self._ended()) is not None:
                held.append(example)
        except UserError:
            yield from () if self._verdict() else held
            raise
        if self._layout and (wrong := self._verdict()):
            self.reader.fault(f"{self.path}:{self._layout.line}", wrong, "wrong column")
            return
        self._notes()
        yield from held

    def _verdict(self) -> str:
        """What seems wrong with the column of words, by what has been read; empty: nothing."""
        tag = min(self._told.with_tags(), default=-1)
        return self._suspicion.verdict(tag) if self._suspicion else ""

    def _lines(self) -> Iterator[tuple[int, str]]:
        """All lines; those before the first line of words come once it is known."""
        waiting: list[tuple[int, str]] = []
        for number, line in lines_of(self.path, self._fault_at):
            if self._layout is not None:
                yield number, line
                continue
            waiting.append((number, line))
            if line.startswith(_GLOBAL):
                self._names = line.removeprefix(_GLOBAL)
            elif not (_is_aside(line) or may_be_comment(line)):
                self._begin(number, line)
                yield from waiting
                waiting.clear()
        words = [w for w in waiting if may_be_comment(w[1]) and not is_keyed(w[1])]
        if words:
            self._begin(*words[0])
        yield from waiting

    def _begin(self, number: int, line: str) -> None:
        given = self.reader.columns
        layout = Layout.of(f"{self.path}:{number}", number, line, given, self._names)
        self._layout, self._suspicion = layout, Suspicion(layout, chosen=bool(given))
        beside = set(range(layout.number)) - {layout.tag}
        self._told.tagged = dict.fromkeys(beside, False) if layout.tag is not None else {}

    def _line(self, number: int, line: str) -> Example | None:
        """Take up a line; the sentence that it ends."""
        layout = self._layout
        if is_blank(line) or line.startswith(DOCUMENT):
            return self._ended()
        if (picture := picture_of(line)) is not None:
            self._picture(number, line, picture)
        elif layout is None or (layout.header and number == layout.line):
            pass
        elif self._is_comment(line, layout):
            self._told.comment(number, line)
        else:
            return self._words(number, line, layout)
        return None

    def _words(self, number: int, line: str, layout: Layout) -> Example | None:
        """Take up a line of words."""
        cells = layout.cells(line)
        if cells[layout.word : layout.word + 1] == [DOCUMENT]:
            return self._ended()
        if len(cells) == layout.number and is_contraction(
            cells, layout, len(self._sentence.tokens)
        ):
            self._told.contractions.append(number)
            return None
        if wrong := self._wrong(number, line, cells, layout):
            self._fault(wrong[1], wrong[0], wrong[2])
            return None
        if not layout.alike(line):
            self._told.otherwise.append(number)
        self._word(number, cells, layout)
        return None

    def _is_comment(self, line: str, layout: Layout) -> bool:
        if self._sentence.tokens or not may_be_comment(line):
            return False
        cells = layout.cells(line)
        if is_keyed(line) or len(cells) != layout.number:
            return True
        # As many words as there are columns may be chance.
        tag = cells[layout.tag or 0]
        return not is_tag(tag) and (not layout.alike(line) or "=" in tag)

    def _wrong(
        self, number: int, line: str, cells: list[str], layout: Layout
    ) -> tuple[str, int, str] | None:
        """What is wrong with a line of words, where, and of which kind."""
        if "\r" in line:
            what = "a carriage return (CR) within a line; end all lines with a line feed (LF)."
            return what, number, "CR"
        if "\0" in line:
            return "holds U+0000: UTF-16, or damaged; save the file as UTF-8.", number, "NUL"
        first = number == layout.line
        if first and (remedy := other_format(self.path, line) or header_remedy(cells)):
            return remedy, number, "header"
        if len(cells) != layout.number:
            return self._other_number(number, line, cells, layout)
        if not cells[layout.word].strip(" \t"):
            column = "before the tab" if layout.word == 0 else f"in column {layout.word + 1}"
            return f"no word {column}; add the word.", number, "no word"
        if layout.tag is not None and not cells[layout.tag].strip(" \t"):
            return _no_tag(layout.line), number, "no tag"
        return self._unnamed(number, cells, layout)

    def _unnamed(
        self, number: int, cells: list[str], layout: Layout
    ) -> tuple[str, int, str] | None:
        """A number that has no name among the user's."""
        names = self.reader.tag_names
        cell = cells[layout.tag].strip() if names and layout.tag is not None else ""
        if not cell.isdecimal() or int(cell) < len(names):
            return None
        what = (
            f"the tag is {cell}, but data.tag_names has {len(names)} names, 0 to {len(names) - 1}; "
            "give all of them."
        )
        return what, number, "tag number"

    def _other_number(
        self, number: int, line: str, cells: list[str], layout: Layout
    ) -> tuple[str, int, str]:
        found = len(cells)
        if layout.number == 1 and found == 2 and is_tag(cells[1].strip()):
            return _no_tag(number), layout.line, "no tag"
        if layout.number > found == 1 and not is_tag(cells[0].strip()):
            return _no_tag(layout.line), number, "no tag"
        if layout.tabbed is False and line[:1] in " \t" and found == layout.number - 1:
            return "no word before the tag; add the word.", number, "no word"
        odd = sorted({code_point(c) for c in line if is_odd(c) and c != "\t"})
        there = f" (it holds {', '.join(odd)})" if odd else ""
        hint = "; where words hold spaces, separate columns by tabs" if not layout.tabbed else ""
        what = (
            f"{counted(found, 'column')}, but line {layout.line} has {layout.number}"
            f"{there}; give every line the same columns{hint}."
        )
        return what, number, "columns"

    def _fault(self, number: int, what: str, kind: str) -> None:
        self._fault_at(f"{self.path}:{number}", what, kind)

    def _fault_at(self, where: str, what: str, kind: str) -> None:
        self.reader.fault(where, what, kind)
        self._sentence.faulty = True

    def _word(self, number: int, cells: list[str], layout: Layout) -> None:
        sentence = self._sentence
        if self._suspicion is not None and self._suspicion.open:
            self._suspicion.word(cells, len(sentence.tokens))
        sentence.lines.append(number)
        sentence.tokens.append(cells[layout.word])
        if layout.tag is not None:
            sentence.tags.append(self.reader.tag(cells[layout.tag]))
        self._told.cells(cells)

    def _picture(self, number: int, line: str, picture: str) -> None:
        name = self._told.pictures.of(picture, f"{self.path}:{number}")
        if not name:
            self._fault(number, f"'{line}' without a name; add it.", "no picture name")
        elif self._sentence.tokens:
            what = f"'{line}' stands inside a sentence; put a blank line before it."
            self._fault(number, what, "picture inside")
        else:
            self._sentence.pictures.append(name)
            self._sentence.picture_line = number

    def _ended(self) -> Example | None:
        """The sentence that ends here, if one has begun."""
        sentence = self._sentence
        if not (sentence.pictures or sentence.tokens or sentence.faulty):
            return None
        self._sentence = Sentence(sentence.number + 1)
        self._told.sentences += 1
        if sentence.faulty:
            for part in sentence.parts(self.path):
                self.reader.aside(part)
            return None
        if not sentence.tokens:
            what = (
                f"no word follows 'IMGID:{sentence.pictures[-1]}'; add the words or remove the "
                "line."
            )
            self.reader.fault(f"{self.path}:{sentence.picture_line}", what, "no words")
            return None
        return sentence.example(self.path)

    def _notes(self) -> None:
        layout = self._layout
        for line in self._told.lines(self.path, layout):
            self.reader.note(line)
        if layout is not None and (hint := self._told.hint(self.path, layout)):
            self.reader.hint(hint)


def _no_tag(line: int) -> str:
    return (
        f"no tag, but line {line} has one; add the tag after a tab (O outside entities), or remove "
        "the tags of the whole file."
    )


def _is_aside(line: str) -> bool:
    """Whether a line is no line of words, whatever the columns."""
    return is_blank(line) or line.startswith(DOCUMENT) or picture_of(line) is not None
