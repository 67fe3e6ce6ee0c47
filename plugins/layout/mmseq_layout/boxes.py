"""Word boxes as vectors, and as distances that attention can see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PAGE = 1000.0
"""Boxes are in thousandths of the page"""
NEAR = 8.0
"""Distances below this, in thousandths, count as none: less than half a line of print"""
STEPS = 14
"""Further distances to each side, each sqrt(2) times the one before: the last ends beyond 1000"""


class BoxEmbedding(nn.Module):
    """2-D position embedding of a box (Xu et al. 2020, LayoutLM), scaled by a LayerNorm::

        s = E_x(x0) + E_x(x1) + E_y(y0) + E_y(y1) + E_w(x1 - x0) + E_h(y1 - y0)

    Coordinates and sides are quantised to `bins` equal steps of the page. The norm's gain starts
    at 0.1: an untrained position is a small change of a word, not a word of its own.
    """

    def __init__(self, width: int, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.x, self.y, self.across, self.down = (nn.Embedding(bins, width) for _ in range(4))
        for table in (self.x, self.y, self.across, self.down):
            nn.init.normal_(table.weight, std=0.02)
        self.norm = nn.LayerNorm(width)
        nn.init.constant_(self.norm.weight, 0.1)

    def forward(self, boxes: Tensor) -> Tensor:
        """(B, W, width) from `boxes` (B, W, 4): x0 y0 x1 y1 in thousandths, corners in order."""
        x0, y0, x1, y1 = boxes.unbind(dim=-1)
        summed = self.x(self._bin(x0)) + self.x(self._bin(x1))
        summed = summed + self.y(self._bin(y0)) + self.y(self._bin(y1))
        summed = summed + self.across(self._bin(x1 - x0)) + self.down(self._bin(y1 - y0))
        scaled: Tensor = self.norm(summed)
        return scaled

    def _bin(self, values: Tensor) -> Tensor:
        return (values * (self.bins / PAGE)).long().clamp(max=self.bins - 1)


class RelativeBias(nn.Module):
    """What each head adds to the score of word i looking at word j, from where j lies (Xu et al.
    2021, LayoutLMv2)::

        bias_h(i, j) = a_h(x_j - x_i) + b_h(y_j - y_i)          x, y: centres of the boxes

    a and b are tables over signed distances (`distance_bucket`). They do not start at chance but,
    as in Press et al. 2022, with a slope: the heads in turn look left along the line, right along
    it, up the column, down it, and everywhere. Receipts by the hundred are too few to find that
    out; training can change every entry.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        start = torch.zeros(2, 2 * STEPS + 1, heads)
        signed = torch.arange(-STEPS, STEPS + 1, dtype=torch.float)
        for head in range(heads):
            direction = head % 5
            if direction < 4:
                along, across = (0, 1) if direction < 2 else (1, 0)
                onward = signed if direction % 2 else -signed
                start[along, :, head] = -0.25 * signed.abs() - 4 * (onward < 0)
                start[across, :, head] = -signed.abs()
        self.x, self.y = nn.Parameter(start[0]), nn.Parameter(start[1])

    def forward(self, boxes: Tensor) -> Tensor:
        """(B, heads, W, W) from `boxes` (B, W, 4); entry (i, j): word i looks at word j."""
        x = (boxes[..., 0] + boxes[..., 2]) / 2
        y = (boxes[..., 1] + boxes[..., 3]) / 2
        bias: Tensor = self.x[_between(x)] + self.y[_between(y)]
        return bias.permute(0, 3, 1, 2)


def _between(places: Tensor) -> Tensor:
    """Buckets of the distances from each word to each other, (B, W, W)."""
    return distance_bucket(places[:, None, :] - places[:, :, None])


def distance_bucket(distances: Tensor) -> Tensor:
    """Signed distances in thousandths to 0 .. 2 STEPS; STEPS is less than `NEAR` to either side.

    From there on a bucket ends sqrt(2) times as far out as the one before it.
    """
    octaves = (distances.abs().clamp(min=NEAR) / NEAR).log2()
    # The bucket that begins at NEAR is the first: log2 is 0 there, and below it by the clamp.
    steps = torch.where(distances.abs() < NEAR, 0, (2 * octaves).floor() + 1).clamp(max=STEPS)
    return (distances.sign() * steps).long() + STEPS
