"""Drawn sentences, written in many layouts of column files; nothing here is the project's own."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

WORDS = (
    *("Anna", "met", "in", "Oslo", ",", ".", "#", "#happy", "7", "1984", "I/O", "@nrk", "B-52"),
    *(
        "naïve",
        "नमस्ते",
        "نمی\u200cخواهم",
        "👩\u200d🚀",
        "❤\ufe0f",
        "東京",
        "e\u0301tude",
        "O",
        "a=b",
        "-",
    ),
)
TYPES = ("PER", "LOC", "creative-work", "その他")
SPACED = "New York"
"""A word that only tabs can separate"""

SEPARATORS = {"tab": "\t", "space": " ", "spaces": "   "}
COLUMNS = {
    "word tag": None,
    "word pos tag": None,
    "word pos lemma tag": None,
    "index word tag": {"word": 2, "tag": 3},
    "index word tag nested": {"word": 2, "tag": 3},
    "index word pos tag": {"word": 2, "tag": -1},
    "word tag pos": {"tag": 2},
    "document number word tag": {"word": "word", "tag": "tag"},
}
COMMENTS = ("none", "keyed", "text")
DOCUMENTS = ("none", "apart", "directly")
SCHEMES = {
    "bio": "auto",
    "bioes": "auto",
    "bilou": "auto",
    "bmes": "auto",
    "bmewo": "bmes",
    "iob1": "iob1",
    "io": "io",
}
ENDS = ("\n", "\r\n", "\r")
MARKS = ("none", "first", "sentences", "tags", "blanks", "white lines")

Sentence = list[tuple[str, str, str]]
"""Word, place in its entity (B, I or O), type"""


@dataclass(frozen=True)
class Layout:
    """One way to write a file."""

    separator: str
    columns: str
    comments: str
    documents: str
    scheme: str
    end: str
    mark: str


def layouts(number: int, seed: int) -> list[Layout]:
    """So many different ones, drawn at random."""
    parts = (SEPARATORS, COLUMNS, COMMENTS, DOCUMENTS, SCHEMES, ENDS, MARKS)
    every = [Layout(*values) for values in product(*parts)]
    return random.Random(seed).sample(every, number)


def sentences(draw: random.Random, number: int, *, spaced: bool) -> list[Sentence]:
    """Entities never touch, so that every scheme can tell them apart."""
    words = (*WORDS, SPACED) if spaced else WORDS
    return [_sentence(draw, words) for _ in range(number)]


def _sentence(draw: random.Random, words: tuple[str, ...]) -> Sentence:
    found: Sentence = []
    while len(found) < draw.randint(1, 9):
        if draw.random() < 0.4 and (not found or found[-1][1] == "O"):
            kind = draw.choice(TYPES)
            for index in range(draw.randint(1, 4)):
                found.append((draw.choice(words), "I" if index else "B", kind))
        else:
            found.append((draw.choice(words), "O", ""))
    return found


def expected(found: Sentence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words, and tags in BIO."""
    tags = tuple("O" if place == "O" else f"{place}-{kind}" for _, place, kind in found)
    return tuple(word for word, _, _ in found), tags


def tag(sentence: Sentence, index: int, scheme: str) -> str:
    """The tag of a word as the scheme has it."""
    _, place, kind = sentence[index]
    if place == "O":
        return "O"
    if scheme == "io":
        return kind
    last = index + 1 == len(sentence) or sentence[index + 1][1] != "I"
    names = {"bioes": "BIES", "bilou": "BILU", "bmes": "BMES", "bmewo": "BMEW"}
    begin, inside, end, single = names.get(scheme, "BIIB")
    if scheme == "iob1":
        return f"I-{kind}"
    if place == "B":
        return f"{single if last else begin}-{kind}"
    return f"{end if last else inside}-{kind}"


def written(layout: Layout, drawn: list[Sentence]) -> bytes:
    """The file."""
    names = layout.columns.split()
    lines: list[str] = []
    if "document" in names:
        lines.append(SEPARATORS[layout.separator].join(names))
    for number, sentence in enumerate(drawn):
        if number % 5 == 0 and layout.documents != "none":
            lines.append("-DOCSTART- -X- O O")
            lines += [""] if layout.documents == "apart" else []
        if layout.comments == "keyed":
            lines += [f"# sent_id = {number}", "# text = vitamin O"]
        elif layout.comments == "text":
            lines.append("# said by one of the two people on the left")
        if layout.mark == "sentences":
            lines.append("\ufeff" + _line(layout, names, sentence, 0))
            rest = range(1, len(sentence))
        else:
            rest = range(len(sentence))
        lines += [_line(layout, names, sentence, index) for index in rest]
        lines.append({"white lines": "\xa0", "blanks": " \t"}.get(layout.mark, ""))
    text = layout.end.join(lines)
    return (("\ufeff" if layout.mark == "first" else "") + text).encode()


def _line(layout: Layout, names: list[str], sentence: Sentence, index: int) -> str:
    own = tag(sentence, index, layout.scheme)
    cells = {
        "index": str(index + 1),
        "number": str(index),
        "document": "bc/news",
        "word": sentence[index][0],
        "pos": "NN",
        "lemma": "_",
        "nested": "O",
        "tag": own + ("\u200b" if layout.mark == "tags" and index % 2 else ""),
    }
    line = SEPARATORS[layout.separator].join(cells[name] for name in names)
    return line + (" " if layout.mark == "blanks" else "")
