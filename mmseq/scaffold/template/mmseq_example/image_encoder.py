"""The image encoder: the mean colours of a grid of cells, projected."""

from __future__ import annotations

from collections.abc import Mapping

import mmseq
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn


class ExampleImageEncoder(mmseq.ImageEncoder):
    """Projects the mean colour of each cell of a grid.

    The picture is cut into `cells` x `cells` equal cells, c_k the mean colour of cell k (red, green
    and blue, 0 to 1), row by row::

        v_k = W c_k + b                                                 (N, cells * cells, `width`)

    and the picture's vector is the mean of the v_k. Colours are computed once a picture and
    stored; W and b train.
    """

    whole_page = True
    grid: Tensor

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        cells: mmseq.Count = 7,
        width: mmseq.Count = 64,
        learning_rate: mmseq.NonNegative = 1e-3,
    ) -> None:
        super().__init__()
        self.cells = cells
        self.width = width
        self.learning_rate = learning_rate
        self.project = nn.Linear(3, width)
        places = torch.cartesian_prod(torch.arange(cells), torch.arange(cells))
        corners = places.flip(1)  # x, y of each cell, row by row
        grid = torch.cat([corners, corners + 1], dim=1) / cells
        self.register_buffer("grid", grid, persistent=False)

    @property
    def fingerprint(self) -> str:
        # Another number wherever `transform` or `precompute` changes: stored colours are then old.
        return f"example-1-{self.cells}"

    def transform(self, image: Image.Image) -> Tensor:
        # A box filter: each pixel of the small picture is the mean of its cell.
        small = image.resize((self.cells, self.cells), Image.Resampling.BOX)
        return torch.tensor(np.asarray(small, dtype=np.float32)).permute(2, 0, 1) / 255

    def precompute(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"colours": pixels.flatten(2).transpose(1, 2)}

    def forward(self, precomputed: Mapping[str, Tensor]) -> mmseq.Pictures:
        regions = self.project(precomputed["colours"])
        return mmseq.Pictures(regions, regions.mean(dim=1), self.grid)
