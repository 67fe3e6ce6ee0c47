"""What a picture of the page shows under each word's box."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmseq import ImageStates, Sizes, UserError
from mmseq_layout.boxes import PAGE


class RegionsUnderBoxes(nn.Module):
    """W_r r_j, as wide as a word: the regions under each word's box (`under_boxes`), projected.

    W_r has no bias and starts at 0: the term is 0 without a picture, and before training.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        if not sizes.whole_page:
            raise UserError(
                "fusion 'layout-regions' looks up word boxes on the whole page, but the image "
                "encoder crops pictures to their centre; give --set image_encoder.fit=page (or an "
                "image encoder that does not crop)."
            )
        self.project = nn.Linear(sizes.image, sizes.text, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, images: ImageStates, boxes: Tensor) -> Tensor:
        """(B, W, D) from `boxes` (B, W, 4), in thousandths of the page, corners in order."""
        projected: Tensor = self.project(under_boxes(images, boxes))
        return projected


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
