"""Which types a picture stands for: those of the entities that its sentences have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmseq.contracts.example import Example
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.data.names import Name, name_of
from mmseq.data.tags import spans
from mmseq.pictures.fixed import encoded
from mmseq.pictures.table import FeatureTable

AT_A_TIME = 64
"""Pictures encoded together where no gradient is kept"""


@dataclass(frozen=True)
class TypedPictures:
    """N distinct pictures, by content, whose sentences have entities."""

    paths: list[Path]
    """(N) a file of each"""
    counts: Tensor
    """(N, T): entities of each type that its sentences have"""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shares(self) -> Tensor:
        """(N, T): `counts` as shares of 1."""
        return self.counts / self.counts.sum(dim=1, keepdim=True)

    def named(self, scores: Tensor) -> int:
        """How many get the highest of their `scores` (N, T) for a type that none of theirs is more
        frequent than.
        """
        best = scores.argmax(dim=1, keepdim=True).to(self.counts.device)
        return int((self.counts.gather(1, best)[:, 0] == self.counts.amax(dim=1)).sum())


def typed_pictures(
    examples: Iterable[Example],
    table: FeatureTable,
    types: Sequence[str],
    ambiguous: AbstractSet[Name],
) -> TypedPictures:
    """The pictures of tagged sentences that can be used, in the order in which they come.

    Where a picture's sentences have `ambiguous` names, these alone count: what other entities are
    the words tell, and a picture need not show it. Other types than `types` count nowhere.
    """
    files: dict[str, Path] = {}
    told: dict[str, Counter[str]] = {}
    others: dict[str, Counter[str]] = {}
    for example in examples:
        usable = {table.content(path): path for path in example.images if table.has(path)}
        entities = spans(example.tags or ())
        for content, path in usable.items():
            files.setdefault(content, path)
            for start, end, kind in entities:
                if kind not in types:
                    continue
                own = told if name_of(example, start, end) in ambiguous else others
                own.setdefault(content, Counter())[kind] += 1
    counted = [(files[c], told.get(c) or others[c]) for c in files if c in told or c in others]
    counts = [[counter[kind] for kind in types] for _, counter in counted]
    return TypedPictures(
        [path for path, _ in counted],
        torch.tensor(counts, dtype=torch.float32).reshape(-1, len(types)),
    )


def vectors_of(
    pictures: TypedPictures, table: FeatureTable, encoder: ImageEncoder, device: torch.device
) -> Tensor:
    """(N, E) on `device`: the pooled pictures, by the encoder as it is."""
    paths = pictures.paths
    parts = [paths[start : start + AT_A_TIME] for start in range(0, len(paths), AT_A_TIME)]
    return torch.cat([encoded(table, encoder, part, device).vector.float() for part in parts])
