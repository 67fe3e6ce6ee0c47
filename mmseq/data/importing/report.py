"""What an import made of its sources, and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmseq.data.importing.documents import Place
from mmseq.data.picture_names import shown
from mmseq.errors import counted

SHOWN = 5
"""How many places of each finding are named"""

FINDINGS: Mapping[str, str] = {
    "elsewhere": "Texts without spans of which another field seems to hold some (--column "
    "spans=NAME reads it, or another FORMAT)",
    "overlapping": "Spans left out because they overlap one that begins before or is longer",
    "empty": "Spans left out because they hold no word",
    "repeated": "Spans that stand there twice and count once",
    "spaces": "Spans with white space at their ends, which no word has",
    "utf16": "Texts whose spans count emoji as two characters, which is taken into account",
    "odd": "Sentences whose tags are no BIO or BIOES and count no entities here (of types alone: "
    "data.scheme = io, --scheme io, where they are read)",
    "wordless": "Texts left out because they have no word",
}
"""What may be found -> what is said of it"""

CUT = {
    "cut": "the words are cut there",
    "widen": "the spans get the whole words",
    "drop": "the spans are left out",
}


@dataclass
class Report:
    """Counts, and the first places of everything that is found."""

    splitter: str = ""
    inside: str = "cut"
    texts: int = 0
    spans: int = 0
    """Those of the texts"""
    sentences: Counter[str] = field(default_factory=Counter)
    """Of each split"""
    words: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    """Of each type"""
    pictures: Counter[str] = field(default_factory=Counter)
    """``placed``, ``missing``, ``outside``, ``urls``"""
    left_out: Counter[str] = field(default_factory=Counter)
    """What the files hold beside texts and spans"""
    skipped: Counter[str] = field(default_factory=Counter)
    """Entries that are not taken, by their reason"""
    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    """Of each kind of picture that is not placed, the first name"""

    def find(self, kind: str, place: Place, what: str = "") -> None:
        """Count a finding; the first ones with their place."""
        self.counts[kind] += 1
        places = self.places.setdefault(kind, [])
        if len(places) < SHOWN:
            places.append(f"{place}{': ' * bool(what)}{what}")

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "splitter": self.splitter or None,
            "texts": self.texts,
            "spans": self.spans,
            "sentences": dict(self.sentences),
            "words": dict(self.words),
            "entities": dict(sorted(self.entities.items())),
            "pictures": dict(self.pictures),
            "left_out": dict(self.left_out),
            "skipped": dict(self.skipped),
            "findings": {
                kind: {"count": count, "places": self.places[kind]}
                for kind, count in self.counts.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """For people: what was written, then what was found, with the first places."""
        for split, number in self.sentences.items():
            words = counted(self.words[split], "word")
            yield f"{split}.jsonl: {counted(number, 'sentence')}, {words}"
        types = ", ".join(f"{kind} {count}" for kind, count in sorted(self.entities.items()))
        yield f"Entities: {self.entities.total()}{f' ({types})' if types else ''}"
        if self.texts:
            cut = (
                f"cut into words by '{self.splitter}'" if self.splitter else "with their own words"
            )
            texts = counted(self.texts, "text")
            yield f"{texts} with {counted(self.spans, 'span')}, {cut}"
        if self.pictures:
            yield _pictures(self.pictures, self.lost)
        if number := self.counts["cutting"]:
            yield (
                f"Spans that begin or end inside a word ({CUT[self.inside]}): {number} of "
                f"{self.spans}{self._where('cutting')}"
            )
        for kind, text in FINDINGS.items():
            if number := self.counts[kind]:
                yield f"{text}: {number}{self._where(kind)}"
        for name, number in sorted(self.left_out.items()):
            yield f"Left out: {name}: {number}"
        for reason, number in sorted(self.skipped.items()):
            yield f"Left out: entries ({reason}): {number}"

    def _where(self, kind: str) -> str:
        more = "; …" if self.counts[kind] > SHOWN else ""
        return f" ({'; '.join(self.places[kind])}{more})"


def _pictures(counts: Mapping[str, int], lost: Mapping[str, str]) -> str:
    parts = [f"{counts.get('placed', 0)} in images/"]
    for kind, text in (
        ("missing", "mentions of missing ones"),
        ("outside", "mentions of ones outside the source's folder, which are not read"),
        ("urls", "mentions of URLs, which are not fetched"),
    ):
        if counts.get(kind):
            first = f" (first: {shown(lost[kind])})" if kind in lost else ""
            parts.append(f"{text}: {counts[kind]}{first}")
    return f"Pictures: {', '.join(parts)}"
