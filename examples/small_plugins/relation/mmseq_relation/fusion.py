"""The fusion: as much of the picture as goes with the text."""

from __future__ import annotations

import torch
from torch import nn

import mmseq


class RelationFusion(mmseq.Fusion):
    """Every word gets the picture, as far as text and picture go together.

    With x a word (D wide), m the mean of the sentence's words, v its projected picture (0 without
    one) and z, `width` wide, the pair of the two::

        z = GELU(U [m ; v] + c)                the sentence view `pair`
        r = sigmoid(w . z + a)                 one number a sentence
        F = [x ; r v]

    That an account of text and picture decides how much of the picture is used is the idea of
    RpBERT (Sun et al. 2021), there learned from another data set.
    """

    def __init__(
        self, sizes: mmseq.Sizes, *, width: mmseq.Count = 64, dropout: mmseq.Dropout = 0.1
    ) -> None:
        super().__init__()
        self.width = 2 * sizes.text
        self.sentence_views = {"pair": width}
        self.project = nn.Linear(sizes.image, sizes.text)
        self.pair = nn.Sequential(nn.Linear(2 * sizes.text, width), nn.GELU())
        self.share = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: mmseq.TextStates, images: mmseq.ImageStates | None) -> mmseq.Fused:
        assert images is not None  # needs_images
        picture = self.project(images.pooled) * images.present[:, None]
        words = text.words.masked_fill(~text.mask[..., None], 0.0)
        mean = words.sum(dim=1) / text.mask.sum(dim=1, keepdim=True)
        pair = self.pair(torch.cat([mean, picture], dim=1))
        used = torch.sigmoid(self.share(pair)) * picture
        states = torch.cat([text.words, used[:, None].expand_as(text.words)], dim=2)
        return mmseq.Fused(self.dropout(states), sentence_views={"pair": pair})
