"""Two files of the same sentences, gold and predicted: read, and held to the same words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from unicodedata import normalize

from mmseq.contracts.example import Example
from mmseq.data.columns import Columns, check_columns
from mmseq.data.folder import reader_of
from mmseq.data.naming import Naming
from mmseq.data.schemes import SchemeOption
from mmseq.data.splits import (
    Split,
    check_mapping,
    load_file,
    rename_types,
    require_whole,
)
from mmseq.data.tags import spans
from mmseq.errors import UserError

Span = tuple[int, int, str]
"""First word, word after the last, type"""


@dataclass(frozen=True)
class Compared:
    """One sentence with the entities of both files, in order (seqeval's default reading)."""

    tokens: tuple[str, ...]
    gold: list[Span]
    predicted: list[Span]
    pictures: int
    """That the gold file names"""


@dataclass(frozen=True)
class Pair:
    """Gold and predicted tags of the same sentences, and training data where they were given."""

    gold: Split
    predicted: Split
    train: Split | None = None

    @property
    def notes(self) -> list[str]:
        """What is said of the files."""
        files = (self.gold, self.predicted, self.train)
        return [note for split in files if split is not None for note in split.notes]

    @property
    def tags(self) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """BIO tags, gold and predicted."""
        gold, predicted = (
            [example.tags or () for example in split.examples]
            for split in (self.gold, self.predicted)
        )
        return gold, predicted

    def sentences(self) -> list[Compared]:
        """Every sentence with its entities."""
        return [
            Compared(g.tokens, spans(g.tags or ()), spans(p.tags or ()), len(g.images))
            for g, p in zip(self.gold.examples, self.predicted.examples, strict=True)
        ]


def read_pair(
    gold: Path,
    predicted: Path,
    *,
    train: Path | None = None,
    columns: Sequence[Columns] = (),
    scheme: SchemeOption = "auto",
    mapping: Mapping[str, str] | None = None,
    naming: Naming | None = None,
) -> Pair:
    """Two files, each in any format that a reader knows, and the training file if one is given.

    Sentences are paired by their order. `columns`: of all files; or two, the second of `predicted`.
    `scheme`, `mapping` and `naming` are as in
    `mmseq.data.splits.load_folder` and go for every file.
    `UserError` where a file is missing, cannot be read or has a sentence
    without tags, or (but for the training file) an open word, where a type to rename is in none of
    them, and at the first word in which the two differ.
    """
    own = columns[0] if columns else None
    chosen = (own, columns[-1] if columns else None, own)
    paths = [path for path in (gold, predicted, train) if path is not None]
    check_columns([path for path in paths if path.is_file()], "auto", own)
    files = [
        _tagged(path, scheme, given, naming) for path, given in zip(paths, chosen, strict=False)
    ]
    if naming:
        naming.check([reader_of(path) for path in paths])
    for split in files[:2]:
        require_whole(split)
    check_mapping(files, mapping or {})
    pair = Pair(*(rename_types(split, mapping or {}) for split in files))
    difference = _first_difference(pair.gold, pair.predicted)
    if difference:
        raise UserError(
            f"{difference}; both files need the same words in the same sentences, in the same "
            "order."
        )
    return pair


def _tagged(
    path: Path, scheme: SchemeOption, columns: Columns | None, naming: Naming | None
) -> Split:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give a file.")
    split = load_file(path, scheme=scheme, columns=columns, naming=naming)
    for example in split.examples:
        if example.tags is None:
            notes = "".join(f" {note}" for note in split.notes)
            raise UserError(
                f"{example.where}: the sentence has no tags; give every word a tag.{notes}"
            )
    return split


def _first_difference(gold: Split, predicted: Split) -> str:
    """What differs first, and where in both files; empty where nothing does."""
    pairs = zip_longest(gold.examples, predicted.examples)
    for number, (one, other) in enumerate(pairs, start=1):
        if one is None or other is None:
            longer, example, shorter = (
                (gold, one, predicted) if other is None else (predicted, other, gold)
            )
            return (
                f"{longer.where(example, 0)}: sentence {number} has no counterpart: "
                f"{shorter.path} ends with sentence {number - 1} at "
                f"{_last_line(shorter, shorter.examples[-1])}"
            )
        if one.tokens != other.tokens:
            return _first_word(number, gold, one, predicted, other)
    return ""


def _first_word(number: int, gold: Split, one: Example, predicted: Split, other: Example) -> str:
    for index, (word, found) in enumerate(zip(one.tokens, other.tokens, strict=False)):
        if word != found:
            # What looks alike on a screen (é in one character or two) is shown by its codes.
            show = ascii if normalize("NFKC", word) == normalize("NFKC", found) else repr
            return (
                f"{gold.where(one, index)}: {show(word)} but "
                f"{predicted.where(other, index)}: {show(found)} (word {index + 1} of sentence "
                f"{number})"
            )
    longer, example, shorter, ended = (
        (gold, one, predicted, other)
        if len(one.tokens) > len(other.tokens)
        else (predicted, other, gold, one)
    )
    words = len(ended.tokens)
    return (
        f"{longer.where(example, words)}: {example.tokens[words]!r} is word {words + 1} of "
        f"sentence {number}, which ends with word {words} at {_last_line(shorter, ended)}"
    )


def _last_line(split: Split, example: Example) -> str:
    return split.where(example, len(example.tokens) - 1)
