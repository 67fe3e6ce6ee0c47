"""The fusion: every word gets the picture, projected to its width."""

from __future__ import annotations

import mmseq
from torch import nn


class ExampleFusion(mmseq.Fusion):
    """Adds the projected picture to every word.

    With x a word (D wide) and v the sentence's picture, the mean over its regions (E wide)::

        F = dropout(x + W v + b)                                        (B, W, D)

    Without a picture F = dropout(x): the mask keeps b from standing in for it.
    """

    def __init__(self, sizes: mmseq.Sizes, *, dropout: mmseq.Dropout = 0.1) -> None:
        super().__init__()
        self.width = sizes.text
        self.project = nn.Linear(sizes.image, sizes.text)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: mmseq.TextStates, images: mmseq.ImageStates | None) -> mmseq.Fused:
        assert images is not None  # needs_images
        picture = self.project(images.pooled) * images.present[:, None]
        return mmseq.Fused(self.dropout(text.words + picture[:, None]))
