"""Pictures as an image encoder gives them that does not change any more: encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.pictures.table import FeatureTable

LIMIT = 1 << 30
"""Bytes that are kept in memory; what does not fit is encoded each time it is asked for"""


@torch.no_grad()
def encoded(
    table: FeatureTable, encoder: ImageEncoder, paths: Sequence[Path], device: torch.device
) -> Pictures:
    """What the encoder as it is gives for some pictures, on `device`, nothing dropped out."""
    was_training = encoder.training
    encoder.eval()
    given: Pictures = encoder(table.rows_on(device, paths))
    encoder.train(was_training)
    return given


class FixedPictures:
    """A `mmseq.model.collate.PictureSource` of what the whole encoder gives, forward included.

    Each picture passes through it alone: what it gives then does not hang on which others are
    already known, as when a run is resumed.
    """

    def __init__(
        self, table: FeatureTable, encoder: ImageEncoder, device: torch.device, limit: int = LIMIT
    ) -> None:
        self._table, self._encoder, self._device = table, encoder, device
        self._known: dict[str, Pictures] = {}
        self._left = limit

    def has(self, path: Path) -> bool:
        """The picture can be used."""
        return self._table.has(path)

    def content(self, path: Path) -> str:
        """Of a picture that can be used: the hash of its file."""
        return self._table.content(path)

    def rows(self, paths: Sequence[Path]) -> Pictures:
        """What the encoder gives for each, on the CPU. At least one path."""
        found = [self._one(path) for path in paths]
        return Pictures(
            torch.cat([one.regions for one in found]),
            torch.cat([one.vector for one in found]),
            found[0].grid,
            tuple(torch.cat(level) for level in zip(*(one.levels for one in found), strict=True)),
        )

    def _one(self, path: Path) -> Pictures:
        content = self.content(path)
        if content in self._known:
            return self._known[content]
        given = encoded(self._table, self._encoder, [path], self._device)
        made = Pictures(
            given.regions.float().cpu(),
            given.vector.float().cpu(),
            given.grid.cpu(),
            tuple(level.float().cpu() for level in given.levels),
        )
        size = sum(t.numel() * t.element_size() for t in (made.regions, made.vector, *made.levels))
        if size <= self._left:
            self._known[content] = made
            self._left -= size
        return made
