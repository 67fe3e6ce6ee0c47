"""What a file of columns holds that is not read, or not as it stands, for the user to know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mmseq.builtins.columns import Layout, option
from mmseq.data.invisible import Trimming
from mmseq.data.tags import is_tag

LONG = 300
"""Words from which a file's only sentence is told"""
_PICTURE = re.compile(
    r"#\s*(imgid|ima?ge?|pic(ture)?|photo)[\s_]*(id|name|path|file)?\s*[:=]", re.I
)
_CONTRACTION = re.compile(r"(\d+)(?:-(\d+)|\.\d+)")


def is_contraction(cells: list[str], layout: Layout, words: int) -> bool:
    """Whether a line of CoNLL-U is none of a word of its own: ``3-4`` stands above the words 3 and
    4 that it is written as, ``3.1`` is a word that nobody wrote. `words`: how many the sentence has
    so far.
    """
    if layout.word == 0 or layout.tag == 0:
        return False
    found = _CONTRACTION.fullmatch(cells[0].strip())
    if found is None:
        return False
    first, last = int(found[1]), found[2]
    return first == words if last is None else first == words + 1 and int(last) > first


@dataclass
class Notes:
    """Counts, and the lines where things are first."""

    pictures: Trimming = field(default_factory=lambda: Trimming("names of pictures"))
    comments: list[int] = field(default_factory=list)
    of_pictures: list[int] = field(default_factory=list)
    """Comments that seem to name pictures"""
    otherwise: list[int] = field(default_factory=list)
    """Lines with other separators"""
    contractions: list[int] = field(default_factory=list)
    tagged: dict[int, bool] = field(default_factory=dict)
    """Columns of which all cells are tags so far, that of the words included -> whether any is of a
    type
    """
    sentences: int = 0
    words: int = 0

    def comment(self, number: int, line: str) -> None:
        """A line that is skipped."""
        (self.of_pictures if _PICTURE.match(line) else self.comments).append(number)

    def cells(self, cells: list[str]) -> None:
        """Those of a word."""
        self.words += 1
        for column in list(self.tagged):
            cell = cells[column].strip()
            if not is_tag(cell):
                del self.tagged[column]
            elif cell not in ("O", "?"):
                self.tagged[column] = True

    def with_tags(self) -> list[int]:
        """Further columns that hold tags, from 1."""
        return sorted(column + 1 for column, typed in self.tagged.items() if typed)

    def hint(self, path: Path, layout: Layout) -> str:
        """Which other column holds tags; empty: none."""
        if layout.tag is None or not (others := self.with_tags()):
            return ""
        if layout.word + 1 in others:
            return (
                f"{path}: column {layout.word + 1}, which is read as the words, holds tags; say "
                f"which columns hold what: {option(layout.tag + 1, layout.word + 1)}."
            )
        one = len(others) == 1
        shown = f"column{'s' * (not one)} {', '.join(map(str, others))}"
        return (
            f"{path}: {shown} hold{'s' * one} tags, too, and {'is' if one else 'are'} not "
            f"read; to read {'it' if one else 'one'} in place of column {layout.tag + 1}: "
            f"{option(layout.word + 1, min(others))}."
        )

    def lines(self, path: Path, layout: Layout | None) -> list[str]:
        """The rest."""
        found = [self.pictures.note()] if self.pictures.count else []
        first = layout.line if layout else 0
        for numbers, what in (
            (self.comments, "comment lines, which are skipped"),
            (
                self.of_pictures,
                "comment lines that seem to name pictures, which are skipped; write IMGID:NAME "
                "without '#'",
            ),
            (
                self.otherwise,
                f"lines whose columns are separated in another way than those of line {first}",
            ),
            (
                self.contractions,
                "lines of contractions and empty words (3-4, 3.1), which are skipped for the "
                "words below",
            ),
        ):
            if numbers:
                found.append(
                    f"{path}:{numbers[0]}: {what}: {len(numbers):,}, of which this is the first."
                )
        if self.sentences == 1 and self.words >= LONG:
            found.append(
                f"{path}: one sentence of {self.words:,} words; a blank line ends a sentence."
            )
        return found
