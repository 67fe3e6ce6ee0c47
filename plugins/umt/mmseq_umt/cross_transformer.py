"""The fusion of UMT and MLMNER: words and regions attend to each other, a gate lets images in."""

from __future__ import annotations

import torch
from torch import nn

from mmseq import Count, Dropout, Fused, Fusion, ImageStates, Sizes, TextStates, check_heads
from mmseq_umt.transformer import Transformer, initialise


class CrossTransformerFusion(Fusion):
    """UMT's cross-modal transformer: image-guided text T beside gated text-guided image M.

    With D the text width, E the image width, X the words and I the regions::

        R = Transformer(X)                    text context               text_layers
        P = Cross(Q = I W_1, K = V = R)       image-queried text         image_to_text_layers
        T = Cross(Q = R, K = V = P)           image-guided text          text_to_text_layers
        A = Cross(Q = R, K = V = I W_2)       text-guided image          text_to_image_layers
        g = sigmoid(W_g [T ; A] + b),  M = g * A,  F = [T ; M]

    Gives F (B, W, 2D) and the views ``text`` (T) and ``image`` (M), (B, W, D) each. Padding words
    and absent regions are never keys. A sentence without a picture has no P: T keeps its
    residual path alone, and M is 0.

    `heads` must divide D (`UserError`). `expansion` is the width of the feed-forward layers in
    units of D. All linear layers start as BERT's do, N(0, 0.02).

    Source: Yu et al. 2020; Li et al. 2022, Eq. 1-2. Eq. 1 prints the scale sqrt(d)/m; this is
    the multi-head standard sqrt(d/m). The sequence is words: [CLS] and [SEP] are not keys.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        heads: Count = 12,
        text_layers: Count = 1,
        image_to_text_layers: Count = 1,
        text_to_text_layers: Count = 1,
        text_to_image_layers: Count = 1,
        dropout: Dropout = 0.1,
        expansion: Count = 4,
    ) -> None:
        super().__init__()
        width = sizes.text
        check_heads("fusion 'cross-transformer'", heads, width)
        self.width = 2 * width
        self.views = {"text": width, "image": width}
        self.text = Transformer(width, heads, text_layers, dropout, expansion)
        self.image_queries = nn.Linear(sizes.image, width)
        self.image_keys = nn.Linear(sizes.image, width)
        self.image_to_text = Transformer(width, heads, image_to_text_layers, dropout, expansion)
        self.text_to_text = Transformer(width, heads, text_to_text_layers, dropout, expansion)
        self.text_to_image = Transformer(width, heads, text_to_image_layers, dropout, expansion)
        self.gate = nn.Linear(2 * width, width)
        self.apply(initialise)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None  # needs_images
        context = self.text(text.words, text.mask)
        queried = self.image_to_text(self.image_queries(images.regions), text.mask, context)
        guided = self.text_to_text(context, images.mask, queried)
        seen = self.text_to_image(context, images.mask, self.image_keys(images.regions))
        gate = torch.sigmoid(self.gate(torch.cat([guided, seen], dim=-1)))
        image = gate * seen * images.present[:, None, None]
        return Fused(torch.cat([guided, image], dim=-1), {"text": guided, "image": image})
