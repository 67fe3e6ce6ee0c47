"""Signs that the words of a file of columns are not its words."""

from __future__ import annotations

import re

from mmseq.builtins.columns import Layout, option

_GLUED = re.compile(r".+?([^\w\-\s]|[^\S \t])\s*(?:\?|O|[BIESLUMW]-\S.*?)[\"']?$")
_ENDS = ",;|"
_NUMBER = re.compile(r"(\d+)([-.]\d+)?")


class Suspicion:
    """Looks at every line of words, until one of them is past doubt.

    A first column may count the words of each sentence, or be the same in all of them (a name of
    the document); where there seems to be one column, word and tag may be glued by a comma.
    """

    def __init__(self, layout: Layout, *, chosen: bool) -> None:
        """`chosen`: the user has named the columns."""
        self._layout = layout
        self._columns = layout.number
        self._counts = self._same = self._columns > 1 and not chosen and layout.word == 0
        self._glued = self._columns == 1
        self._ends = self._columns == 2
        self._separators: set[str] = set()
        self._last = self._value = ""
        self._sentences = self._long = self._lines = self._matches = self._tagged = 0
        self._at = 0
        self._numbers = set(range(layout.number))
        """Columns of which all cells are numbers so far"""
        self._held = set(range(layout.number))
        """Those that are the same throughout every sentence"""
        self._before: list[str] = []

    @property
    def open(self) -> bool:
        """Whether the words may still be none."""
        return self._counts or self._same or self._glued or self._ends

    def word(self, cells: list[str], index: int) -> None:
        """Word `index` of a sentence, from 0."""
        text = cells[0]
        self._lines += 1
        self._numbers = {c for c in self._numbers if _NUMBER.fullmatch(cells[c].strip())}
        if index:
            self._held = {c for c in self._held if cells[c] == self._before[c]}
        self._before = cells
        self._sentences += index == 0
        self._long += index == 1
        self._counts = self._counts and self._goes_on(text, index)
        self._same = self._same and (index == 0 or text == self._value)
        self._value = text
        self._ends = self._ends and text[-1:] in _ENDS and len(text) > 1
        if self._ends:
            self._separators.add(text[-1])
        if self._glued:
            self._glue(text)

    def _goes_on(self, text: str, index: int) -> bool:
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            return False
        number, before = int(match[1]), self._at
        self._at = number
        if index:
            return number - before in (0, 1)
        return number in (0, 1) or (self._sentences > 1 and number == before + 1)

    def _glue(self, text: str) -> None:
        match = _GLUED.match(text)
        if match is not None:
            self._matches += 1
            self._tagged += not text.rstrip("\"'").endswith(f"{match[1]}O")
            self._separators.add(match[1])
        # A line of names may stand above.
        self._glued = match is not None or self._lines == 1

    def verdict(self, tag: int) -> str:
        """What is wrong, once all is read; empty: nothing. `tag`: a column that holds tags."""
        words = set(range(self._columns)) - self._numbers - self._held - {0}
        word = min(words, default=1) + 1
        # The last column cannot be both.
        tag = 0 if tag == -1 and word == self._columns else tag
        remedy = f"say which column holds the words, and which the tags: {option(word, tag)}."
        if self._counts and self._evident:
            return f"the first column counts the words (1, 2, 3 …) in every sentence; {remedy}"
        if self._same and self._columns > 2 and self._long and self._lines >= 5:
            return f"the first column is the same throughout a sentence ('{self._value}'); {remedy}"
        one = len(self._separators) == 1
        glued = self._glued and self._matches and (self._lines > 1 or self._tagged)
        if one and (glued or (self._ends and self._lines > 1)):
            mark = next(iter(self._separators))
            shown = f"'{mark}'" if mark.isprintable() else f"U+{ord(mark):04X}"
            return (
                f"word and tag seem to be separated by {shown} in every line; separate columns "
                "by a tab, or by spaces."
            )
        return ""

    @property
    def _evident(self) -> bool:
        # Of two columns the first may well be words: "1 2 3" is a sentence.
        return self._columns > 2 or self._long > 1
