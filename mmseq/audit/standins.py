"""Blank and noise pictures in place of a sentence's own: drawn in memory, seen as any picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.pictures.features import BATCH, half_rows
from mmseq.pictures.opening import decode_picture, read_picture
from mmseq.pictures.store import Row

GREY = (128, 128, 128)
LONGEST = 256
"""Pixels; longer sides are drawn shorter. Noise shrunk from more to what a model sees is grey."""


@dataclass(frozen=True)
class PictureFile:
    """What a stand-in must know of the picture that it stands for."""

    sha256: str
    """Of the file's bytes"""
    size: tuple[int, int]
    """Width and height in pixels, upright"""


def look_at(paths: Iterable[Path]) -> dict[Path, PictureFile]:
    """Content and size of picture files. Raises `mmseq.pictures.opening.PictureProblem`."""
    found = {}
    for path in dict.fromkeys(paths):
        data = read_picture(path)
        size = decode_picture(data, path).size
        found[path] = PictureFile(hashlib.sha256(data).hexdigest(), size)
    return found


def blank(picture: PictureFile) -> Image.Image:
    """Mid-grey, of the picture's proportions."""
    return Image.new("RGB", _drawn_size(picture.size), GREY)


def noise(picture: PictureFile, seed: int) -> Image.Image:
    """Each channel of each pixel uniform on 0 to 255; a content always gets the same noise."""
    width, height = _drawn_size(picture.size)
    generator = np.random.default_rng([seed, int(picture.sha256, 16)])
    return Image.fromarray(generator.integers(256, size=(height, width, 3), dtype=np.uint8))


def _drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class StandIns:
    """A `mmseq.model.collate.PictureSource` that draws a picture for each path it is asked for.

    The drawn picture goes through the encoder's own transform and frozen part, is rounded as
    stored features are, and is not kept: neither files nor the feature store are written.
    """

    def __init__(
        self, encoder: ImageEncoder, draw: Callable[[Path], Image.Image], device: torch.device
    ) -> None:
        self._encoder = encoder
        self._draw = draw
        self._device = device
        self._rounded = encoder.fingerprint is not None

    def has(self, path: Path) -> bool:
        return True

    def content(self, path: Path) -> str:
        """Drawings are told apart by what they stand for."""
        return str(path)

    @torch.no_grad()
    def rows(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """Name -> (len(paths), …) float32: what `precompute` gives for the drawn pictures."""
        pixels = [self._encoder.transform(self._draw(path)) for path in paths]
        if not self._rounded:
            return self._encoder.precompute(torch.stack(pixels).to(self._device))
        # Blank pictures are mostly alike once transformed: each content is encoded once.
        names = [hashlib.sha256(p.numpy().tobytes()).hexdigest() for p in pixels]
        distinct = list(dict(zip(names, pixels, strict=True)).items())
        rows: dict[str, Row] = {}
        for start in range(0, len(distinct), BATCH):
            rows |= half_rows(self._encoder, dict(distinct[start : start + BATCH]), self._device)
        return {
            key: torch.from_numpy(np.stack([rows[name][key] for name in names])).float()
            for key in rows[names[0]]
        }
