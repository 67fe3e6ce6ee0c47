"""Text unlike that of the training, said once a call."""

from __future__ import annotations

from mmseq.console import Reporter
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.characters import scripts
from mmseq.runs.splitter import AnySplitter
from mmseq.tagging.sentences import Sentence

SHOWN = 30
"""Characters of a long word that are shown"""


class Unlike:
    """Looks at the sentences of one call: for a word at least twice as long as the longest of the
    training, and for scripts that the training lacks.
    """

    def __init__(self, splitter: AnySplitter, reporter: Reporter) -> None:
        self._splitter, self._reporter = splitter, reporter
        self._looks_at_lengths = splitter.longest > 0
        self._looks_at_scripts = bool(splitter.scripts)

    def look(self, sentence: Sentence) -> None:
        """Of a sentence that was given as words there is nothing to say."""
        if not sentence.raw or not sentence.example.tokens:
            return
        if self._looks_at_lengths:
            self._look_at_lengths(sentence)
        if self._looks_at_scripts:
            self._look_at_scripts(sentence)

    def _look_at_lengths(self, sentence: Sentence) -> None:
        longest = max(sentence.example.tokens, key=len)
        if len(longest) < 2 * self._splitter.longest:
            return
        self._looks_at_lengths = False
        shown = longest if len(longest) <= SHOWN else f"{longest[:SHOWN]}…"
        self._reporter.warning(
            f"{_start(sentence)}: '{shown}' is one word of {len(longest)} characters, and training "
            f"had none of more than {self._splitter.longest}: is the text cut as it was there "
            f"('{self._splitter.base}')? --splitter NAME cuts otherwise: {', '.join(BASES)}."
        )

    def _look_at_scripts(self, sentence: Sentence) -> None:
        other = scripts(sentence.text) - self._splitter.scripts
        if not other:
            return
        self._looks_at_scripts = False
        self._reporter.warning(
            f"{_start(sentence)}: has letters of a script that training lacks "
            f"({', '.join(sorted(other))}; there it was {', '.join(sorted(self._splitter.scripts))}"
            "): do not trust its tags."
        )


def _start(sentence: Sentence) -> str:
    where = sentence.example.where
    return where[0].upper() + where[1:] if sentence.example.file is None else where
