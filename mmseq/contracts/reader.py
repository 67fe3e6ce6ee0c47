"""The contract of a reader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from mmseq.contracts.example import Example
from mmseq.errors import UserError


class Reader(ABC):
    """A file to examples.

    It has no options of its own, since files are read by their ending. A constructor that takes
    `columns` gets what the user says of columns (``data.columns``, ``--columns``): a mapping of
    names, such as ``word`` and ``tag``, to numbers from 1, from the end below 0, or to names of a
    header line; empty or None: nothing is said. It raises `UserError` for names it does not know.
    One that takes `fields` gets what the user says of the names of fields (``data.fields``,
    ``--fields``), a mapping such as ``{"tags": "ner_tags"}``, and one that takes `tag_names` the
    names of tags that are numbers, from 0 (``data.tag_names``, ``--tag-names``); neither is given
    where nothing is said. The engine itself reports a file that cannot be opened or is not UTF-8,
    and takes white space and invisible characters from the ends of tags and of pictures' names.
    """

    suffixes: ClassVar[tuple[str, ...]]
    """File endings it reads, with the dot"""
    word_per_line: ClassVar[bool] = False
    """True: word i of a sentence stands i lines below its first, which messages then name"""
    example_file: ClassVar[str] = ""
    """A small file of the format, two sentences or more: `mmseq show` prints it, checks read it"""

    on_fault: Callable[[str, str, str], None] | None = None
    on_note: Callable[[str], None] | None = None
    on_hint: Callable[[str], None] | None = None
    on_aside: Callable[[Example], None] | None = None

    @abstractmethod
    def read(self, path: Path) -> Iterator[Example]:
        """Examples in file order; `UserError` naming file, line and remedy for a bad line.
        Tags as written, `mmseq.OPEN` where a word is left without one among others; pictures as
        file names, which the engine looks up.
        """

    def fault(self, where: str, what: str, kind: str = "") -> None:
        """Raise `UserError` for a bad line, `where` being ``FILE:LINE``. While data are checked it
        returns: leave the sentence out and read on, so that all faults of a `kind` are counted (by
        default, of the same text).
        """
        if self.on_fault is None:
            raise UserError(f"{where}: {what}")
        self.on_fault(where, what, kind or what)

    def aside(self, part: Example) -> None:
        """Hand over words, with their tags, of a sentence that is left out for a fault: what is
        wrong with their tags is counted, too.
        """
        if self.on_aside is not None:
            self.on_aside(part)

    def note(self, line: str) -> None:
        """Say something of a file that is no fault, such as what of it is not read: it is shown to
        the user once.
        """
        if self.on_note is not None:
            self.on_note(line)

    def hint(self, line: str) -> None:
        """A note that also says more where a tag is none, such as which other column holds tags."""
        if self.on_hint is not None:
            self.on_hint(line)
        else:
            self.note(line)
