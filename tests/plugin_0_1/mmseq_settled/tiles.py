"""The image encoder `tiles`: mean colours of the tiles of a picture."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import mmseq


class Tiles(mmseq.ImageEncoder):
    """Projects the mean colour of each of 4 x 4 tiles; a pyramid of 4 x 4 and 2 x 2 maps."""

    whole_page = True
    offline = {"width": 8}

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        width: mmseq.Count = 12,
        learning_rate: mmseq.NonNegative = 1e-2,
        assets: Path | None = None,
    ) -> None:
        super().__init__()
        self.width, self.learning_rate = width, learning_rate
        self.side = json.loads((assets / "tiles.json").read_text())["side"] if assets else 4
        self.levels = (6, 10)
        self.project = nn.Linear(3, width)
        self.fine, self.coarse = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 10, 1)
        steps = torch.arange(self.side) / self.side
        corners = torch.cartesian_prod(steps, steps).flip(1)
        grid = torch.cat([corners, corners + 1 / self.side], dim=1)
        self.register_buffer("grid", grid, persistent=False)

    def save_assets(self, folder: Path) -> None:
        (folder / "tiles.json").write_text(json.dumps({"side": self.side}))

    @property
    def fingerprint(self):
        return f"settled-tiles-{self.side}"

    def transform(self, image):
        small = image.resize((self.side, self.side), Image.Resampling.BOX)
        return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255).permute(2, 0, 1)

    def precompute(self, pixels):
        return {"map": pixels.clone(), "mean": pixels.mean(dim=(2, 3))}

    def forward(self, precomputed):
        colours = precomputed["map"]
        regions = self.project(colours.flatten(2).transpose(1, 2))
        vector = self.project(precomputed["mean"])
        levels = (self.fine(colours), self.coarse(nn.functional.avg_pool2d(colours, 2)))
        return mmseq.Pictures(regions, vector, self.grid, levels)
