"""Sentences to batches: prepared once, bucketed by length, collated at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import torch
from torch import Tensor

from mmseq.contracts.example import OPEN, Example
from mmseq.contracts.image_encoder import Pictures
from mmseq.contracts.states import Targets
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.data.store import StoredExamples
from mmseq.model import calls
from mmseq.model.batch import Batch
from mmseq.model.field_values import FieldValue
from mmseq.model.fields import ExtraField, FieldReader


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sentence with what is computed once."""

    example: Example
    encoded: Any
    length: int
    """As the text encoder finds it"""
    tags: tuple[int, ...] | None
    """0 at open words"""
    images: tuple[Path, ...]
    """Those that can be used"""
    extras: Mapping[str, FieldValue]
    known: tuple[bool, ...] | None = None
    """Of each word whether its tag is known; None: all are"""


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
        self._ids = {label: index for index, label in enumerate(labels)} | {OPEN: 0}
        self._pictures = pictures
        self._fields = FieldReader(extras)
        self._title = title

    def prepare(self, example: Example, *, training: bool = False) -> Prepared:
        """What does not change from epoch to epoch. `training`: with the fields that only training
        data have.

        A tag that the model does not know, as sentences may have that are scored alone, is O here:
        scores are of the example's own tags.
        """
        usable = self._pictures.has if self._pictures else lambda path: False
        encoded, length = calls.encode(self._title, self._encoder, example)
        tags = example.tags or ()
        return Prepared(
            example,
            encoded,
            length,
            None if example.tags is None else tuple(self._ids.get(tag, 0) for tag in example.tags),
            tuple(path for path in example.images if usable(path)),
            self._fields.read(example, training=training),
            tuple(tag != OPEN for tag in tags) if OPEN in tags else None,
        )

    def prepared(
        self, examples: Sequence[Example], *, training: bool = False
    ) -> Sequence[Prepared]:
        """Sentences that are in memory, all prepared; those on disk when they are asked for."""
        if isinstance(examples, StoredExamples):
            return PreparedLater(self, examples, training)
        return [self.prepare(example, training=training) for example in examples]

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
        extras = self._fields.for_states([s.extras for s in sentences])
        numbers, texts = self._fields.for_tasks([s.extras for s in sentences], extras)
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
                numbers,
                _shared(images, self._pictures),
                known=_known([s.known for s in sentences], mask),
                texts=texts,
            ),
            pictures,
            owner,
            slot,
            torch.tensor(row, dtype=torch.long),
        )


class PreparedLater(Sequence[Prepared]):
    """Sentences on disk, prepared each time they are asked for: memory does not grow with them."""

    def __init__(self, collator: Collator, examples: StoredExamples, training: bool) -> None:
        self._collator, self.examples, self._training = collator, examples, training
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
            return [self._prepared(example) for example in self.examples[index]]
        return self._prepared(self.examples[index])

    def _prepared(self, example: Example) -> Prepared:
        return self._collator.prepare(example, training=self._training)


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


def _known(known: Sequence[tuple[bool, ...] | None], mask: Tensor) -> Tensor | None:
    """`Targets.known`."""
    if all(words is None for words in known):
        return None
    found = mask.clone()
    for row, words in enumerate(known):
        if words is not None:
            found[row, : len(words)] = torch.tensor(words)
    return found
