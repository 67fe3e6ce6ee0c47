"""Pictures by path with their features, as training and prediction ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.errors import UserError
from mmseq.pictures.checksums import Contents
from mmseq.pictures.opening import PictureProblem, open_picture
from mmseq.pictures.store import Row, StoredFeatures


class FeatureTable:
    """Pictures by path with what the image encoder's `precompute` gives for them.

    `contents`: the hash of each file as it was read for this table, or the kind of problem where it
    could not be. `new`, `reused`: pictures (by content) computed now and found in the store.
    `problems`: what cannot be used. `notes`: lines for the user; `warnings`: what is left out.
    Rows come from `stored`, or by hash from `kept`; of an encoder that `keeps` none, pictures are
    opened again.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        stored: StoredFeatures | None,
        kept: Mapping[str, Row],
        *,
        keeps: bool = True,
    ) -> None:
        self.contents: Contents = {}
        self.new = 0
        self.reused = 0
        self.problems: dict[Path, PictureProblem] = {}
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._encoder = encoder
        self._stored = stored
        self._keeps = keeps
        self._kept: Mapping[str, Row] = kept

    def has(self, path: Path) -> bool:
        """Whether the picture can be used."""
        return path in self.contents and path not in self.problems

    def content(self, path: Path) -> str:
        """Of a picture that can be used: the hash of its file."""
        return self.contents[path]

    def rows(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """Name -> (len(paths), …) float32 on the CPU; {} without paths.

        Of an encoder without fingerprint, nothing is kept: the pictures are opened again, and what
        `precompute` gives is left on its device. Raises `KeyError` for a path without features and
        `PictureProblem` for a file that has changed meanwhile.
        """
        for path in paths:
            if path not in self.contents or path in self.problems:
                raise KeyError(f"no features of {path}")
        if not paths:
            return {}
        if not self._keeps:
            return self._opened(paths)
        rows = [self._row(self.contents[path]) for path in paths]
        return {
            name: torch.from_numpy(np.stack([row[name] for row in rows])).float()
            for name in rows[0]
        }

    def rows_on(self, device: torch.device, paths: Sequence[Path]) -> dict[str, Tensor]:
        """The same on `device`."""
        return {name: row.to(device) for name, row in self.rows(paths).items()}

    def _row(self, sha: str) -> Row:
        row = self._kept.get(sha) or (self._stored and self._stored.read(sha))
        if not row:
            raise UserError(
                f"The stored features in {self._stored and self._stored.folder} have been damaged "
                "or deleted while in use. Start again: what is missing will be computed."
            )
        return row

    def _opened(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        pixels = torch.stack([self._encoder.transform(open_picture(path)) for path in paths])
        with torch.no_grad():
            return self._encoder.precompute(pixels.to(_device_of(self._encoder)))


def _device_of(encoder: ImageEncoder) -> torch.device:
    return next((weight.device for weight in encoder.parameters()), torch.device("cpu"))
