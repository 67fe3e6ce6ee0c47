"""What a picture of the page shows under each word's box."""

from __future__ import annotations

import torch
from torch import Tensor

from mmseq import ImageStates
from mmseq_layout.boxes import PAGE


def under_boxes(images: ImageStates, boxes: Tensor) -> Tensor:
    """RoI features r (B, W, E): the region vectors v_i, averaged over the area of each word's box::

        r_j = sum_i a_ij v_i / sum_i a_ij,     a_ij = area of (cell i of the grid  ∩  box j)

    Exact for a map that is constant in each cell (RoIAlign, He et al. 2017, interpolates).
    `boxes` (B, W, 4): x0 y0 x1 y1 in thousandths of the page, corners in order. A box without
    width or height is averaged over what it has, a line or a point. Boxes do not say which picture
    they lie on: with several, r is their mean. 0 where the sentence has no picture.
    """
    assert images.grid is not None
    cells = images.grid[:, None]
    boxes = boxes[:, :, None] / PAGE
    area = _overlap(cells[..., 0::2], boxes[..., 0::2])
    area = area * _overlap(cells[..., 1::2], boxes[..., 1::2]) * images.mask[:, None]
    total = area.sum(dim=-1, keepdim=True)
    # Where no region is real, 0 / 1.
    weights = area / torch.where(total > 0, total, 1.0)
    return weights.to(images.regions.dtype) @ images.regions


def _overlap(cells: Tensor, boxes: Tensor) -> Tensor:
    """Length that cells (B, 1, R, 2) and boxes (B, W, 1, 2) share on one axis, (B, W, R).

    Of a box without length: 1 for the cell it lies in, 0 for others.
    """
    start, end = cells.unbind(dim=-1)
    low, high = boxes.unbind(dim=-1)
    shared = (torch.minimum(end, high) - torch.maximum(start, low)).clamp(min=0)
    # A cell owns its start; the last one its end too.
    inside = (start <= low) & ((low < end) | (end == 1) & (low == 1))
    return torch.where(high > low, shared, inside.to(shared.dtype))
