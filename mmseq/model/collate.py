"""Sentences to batches: prepared once, bucketed by length, collated at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import torch
from torch import Tensor

from mmseq.contracts.example import Example
from mmseq.contracts.image_encoder import Pictures
from mmseq.contracts.states import PerWord, Targets
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.data.sentences import per_word
from mmseq.data.store import StoredExamples
from mmseq.errors import UserError
from mmseq.model import calls
from mmseq.model.batch import Batch


class PictureSource(Protocol):
    """Where precomputed pictures come from."""

    def has(self, path: Path) -> bool:
        """The picture can be used."""

    def content(self, path: Path) -> str:
        """The same for pictures that are the same, whatever their files are called."""

    def rows(self, paths: Sequence[Path]) -> dict[str, Tensor] | Pictures:
        """What the image encoder's `precompute` gave for each picture, stacked; of one that does
        not change any more, what its `forward` gives.
        """


@dataclass(frozen=True)
class ExtraField:
    """A per-word field of the examples, and who reads it."""

    name: str
    entries: PerWord
    reader: str
    """What messages call the component"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sentence with what is computed once."""

    example: Example
    encoded: Any
    length: int
    """As the text encoder finds it"""
    tags: tuple[int, ...] | None
    images: tuple[Path, ...]
    """Those that can be used"""
    extras: Mapping[str, list[list[float]]]


class Collator:
    """Prepares sentences for one model, and puts batches together."""

    def __init__(
        self,
        encoder: TextEncoder,
        labels: Sequence[str],
        pictures: PictureSource | None,
        extras: Sequence[ExtraField] = (),
        title: str = "text encoder",
    ) -> None:
        """`title`: what messages call the encoder."""
        self._encoder = encoder
        self._ids = {label: index for index, label in enumerate(labels)}
        self._pictures = pictures
        self._extras = tuple(extras)
        self._title = title
        self._sizes: dict[str, int] = {}

    def prepare(self, example: Example) -> Prepared:
        """What does not change from epoch to epoch.

        A tag that the model does not know, as sentences may have that are scored alone, is O here:
        scores are of the example's own tags.
        """
        usable = self._pictures.has if self._pictures else lambda path: False
        encoded, length = calls.encode(self._title, self._encoder, example)
        return Prepared(
            example,
            encoded,
            length,
            None if example.tags is None else tuple(self._ids.get(tag, 0) for tag in example.tags),
            tuple(path for path in example.images if usable(path)),
            self.extras(example),
        )

    def prepared(self, examples: Sequence[Example]) -> Sequence[Prepared]:
        """Sentences that are in memory, all prepared; those on disk when they are asked for."""
        if isinstance(examples, StoredExamples):
            return PreparedLater(self, examples)
        return [self.prepare(example) for example in examples]

    def extras(self, example: Example) -> dict[str, list[list[float]]]:
        """The per-word fields that the model reads; `UserError` for one that is not there or wrong,
        with file and line.
        """
        return {field.name: self._rows(example, field) for field in self._extras}

    def _rows(self, example: Example, field: ExtraField) -> list[list[float]]:
        """A per-word field; its entries have one length in all sentences."""
        rows = per_word(example, field.name, field.reader)
        what = f"{example.where}: field '{field.name}'"
        entries = field.entries
        if entries.size and len(rows[0]) != entries.size:
            raise UserError(
                f"{what} has {len(rows[0])} numbers a word; {field.reader} reads {entries.size}: "
                "give as many."
            )
        size = self._sizes.setdefault(field.name, len(rows[0]))
        if len(rows[0]) != size:
            raise UserError(
                f"{what} has {len(rows[0])} numbers a word, in earlier sentences {size}; give "
                "every word as many."
            )
        for index, row in enumerate(rows):
            if not all(entries.low <= value <= entries.high for value in row):
                raise UserError(
                    f"{what}, entry {index + 1}: {row} has a number outside {entries.low:g} to "
                    f"{entries.high:g}, which {field.reader} reads; scale it."
                )
        return rows

    def batch(self, sentences: Sequence[Prepared], hidden: Sequence[bool] = ()) -> Batch:
        """A batch; `hidden` says whose pictures to leave out."""
        lengths = [len(s.example.tokens) for s in sentences]
        positions = torch.arange(max(lengths))
        mask = positions[None, :] < torch.tensor(lengths)[:, None]
        images = [() if hidden and hidden[index] else s.images for index, s in enumerate(sentences)]
        places = [(b, n) for b, paths in enumerate(images) for n in range(len(paths))]
        owner, slot = torch.tensor(places, dtype=torch.long).reshape(-1, 2).unbind(dim=1)
        pictures: dict[str, Tensor] | Pictures = {}
        shown = [path for paths in images for path in paths]
        row, distinct = _distinct(shown, self._pictures)
        if distinct and self._pictures:
            pictures = self._pictures.rows(distinct)
        extras = {
            name: _padded([s.extras[name] for s in sentences])
            for name in dict.fromkeys(field.name for field in self._extras)
        }
        return Batch(
            TextInputs(
                calls.collate(self._title, self._encoder, [s.encoded for s in sentences]),
                mask,
                extras,
            ),
            Targets(
                mask,
                torch.tensor([bool(paths) for paths in images]),
                _tags([s.tags for s in sentences], mask),
                tuple(s.example.tokens for s in sentences),
                extras,
                _shared(images, self._pictures),
            ),
            pictures,
            owner,
            slot,
            torch.tensor(row, dtype=torch.long),
        )


class PreparedLater(Sequence[Prepared]):
    """Sentences on disk, prepared each time they are asked for: memory does not grow with them."""

    def __init__(self, collator: Collator, examples: StoredExamples) -> None:
        self._collator, self.examples = collator, examples
        self.lengths = examples.lengths
        """Of each sentence what batches go by: its words, until training has asked the encoder"""

    def __len__(self) -> int:
        return len(self.examples)

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prepared]: ...
    def __getitem__(self, index: int | slice) -> Prepared | list[Prepared]:
        if isinstance(index, slice):
            return [self._collator.prepare(example) for example in self.examples[index]]
        return self._collator.prepare(self.examples[index])


def _distinct(paths: Sequence[Path], source: PictureSource | None) -> tuple[list[int], list[Path]]:
    """Of each picture which distinct one it is, and a file of each distinct one."""
    if source is None:
        return [], []
    files: dict[str, Path] = {}
    contents = [source.content(path) for path in paths]
    for content, path in zip(contents, paths, strict=True):
        files.setdefault(content, path)
    numbers = {content: number for number, content in enumerate(files)}
    return [numbers[content] for content in contents], list(files.values())


def _shared(images: Sequence[Sequence[Path]], source: PictureSource | None) -> Tensor:
    """`Targets.picture`."""
    known: dict[tuple[str, ...], int] = {}
    found = []
    for paths in images:
        contents = tuple(source.content(path) for path in paths) if source else ()
        found.append(known.setdefault(contents, len(known)) if contents else -1)
    return torch.tensor(found, dtype=torch.long)


def _tags(tags: Sequence[tuple[int, ...] | None], mask: Tensor) -> Tensor | None:
    known = [t for t in tags if t is not None]
    if len(known) < len(tags):
        return None
    padded = torch.zeros(mask.shape, dtype=torch.long)
    padded[mask] = torch.tensor([tag for sentence in known for tag in sentence])
    return padded


def _padded(fields: Sequence[Sequence[Sequence[float]]]) -> Tensor:
    """Per-word numbers (B, W, k), 0 at padding."""
    size = len(fields[0][0])
    padded = torch.zeros(len(fields), max(len(f) for f in fields), size)
    for row, values in enumerate(fields):
        padded[row, : len(values)] = torch.tensor(values)
    return padded
