"""Fusions that know where on the page a word stands: boxes alone, or with the picture beneath."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmseq import (
    Count,
    Dropout,
    Fused,
    Fusion,
    ImageStates,
    Natural,
    PerWord,
    Sizes,
    TextStates,
    check_heads,
)
from mmseq_layout.boxes import BoxEmbedding, RelativeBias
from mmseq_layout.regions import RegionsUnderBoxes
from mmseq_layout.transformer import LayoutLayer


class LayoutFusion(Fusion):
    """Words and their boxes on the page: 2-D positions, and attention that sees distances.

    With x_j a word and s_j the embedding of its box (`BoxEmbedding`)::

        z^0 = x                                        with `bins`: z^0 = x + s
        z^l = Layer(z^(l-1), bias)                     l = 1 .. layers, `LayoutLayer`
        bias(i, j) = a(x_j - x_i) + b(y_j - y_i)       `RelativeBias`, one for all layers
        F = [x ; LayerNorm(z^layers)]                  (B, W, 2D)

    View for tasks: ``layout``, the second half. Padding words are never keys. It reads the field
    ``boxes``: of each word x0 y0 x1 y1 in thousandths of the page; corners may come in any order.

    `bins` is the number of equal steps of the page for s; 0: attention alone knows the boxes.
    `heads` must divide D (`UserError`).

    Source: Xu et al. 2020 (LayoutLM) for s, Xu et al. 2021 (LayoutLMv2) for the bias. There both
    are pretrained; here they are learned from the task, which is why attention starts with
    directions (`RelativeBias`) and layers are pre-norm.
    """

    name: ClassVar[str] = "layout"
    needs_images: ClassVar[bool] = False
    extras: ClassVar[Mapping[str, PerWord]] = MappingProxyType({"boxes": PerWord(4, 0, 1000)})

    def __init__(
        self,
        sizes: Sizes,
        *,
        heads: Count = 12,
        layers: Count = 2,
        bins: Natural = 0,
        dropout: Dropout = 0.1,
        expansion: Count = 4,
    ) -> None:
        super().__init__()
        width = sizes.text
        check_heads(f"fusion '{self.name}'", heads, width)
        self.width = 2 * width
        self.views = {"layout": width}
        self.position = BoxEmbedding(width, bins) if bins else None
        self.bias = RelativeBias(heads)
        self.layers = nn.ModuleList(
            LayoutLayer(width, heads, dropout, expansion) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.regions = RegionsUnderBoxes(sizes) if self.needs_images else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        boxes = _in_order(text.extras["boxes"])
        states = text.words
        if self.position is not None:
            states = states + self.position(boxes)
        if self.regions is not None:
            assert images is not None  # needs_images
            states = states + self.regions(images, boxes)
        bias = self.bias(boxes)
        # Not -inf: a row of padding alone would be NaN.
        bias = bias.masked_fill(~text.mask[:, None, None, :], torch.finfo(bias.dtype).min)
        for layer in self.layers:
            states = layer(states, bias)
        layout = self.norm(states)
        return Fused(self.dropout(torch.cat([text.words, layout], dim=-1)), {"layout": layout})


class LayoutRegionsFusion(LayoutFusion):
    """Fusion `layout` with what the picture of the page shows under each word's box.

    z^0 = x + W_r r (+ s), r_j the mean of the region vectors under the box of word j
    (`RegionsUnderBoxes`). All else, and the options, are those of `LayoutFusion`.

    `UserError` where the image encoder crops pictures: its grid would not be the page.
    """

    name: ClassVar[str] = "layout-regions"
    needs_images: ClassVar[bool] = True


def _in_order(boxes: Tensor) -> Tensor:
    """Boxes with x0 <= x1 and y0 <= y1, whichever corners were given."""
    low = torch.minimum(boxes[..., :2], boxes[..., 2:])
    return torch.cat([low, torch.maximum(boxes[..., :2], boxes[..., 2:])], dim=-1)
