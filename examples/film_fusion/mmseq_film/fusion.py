"""FiLM as a fusion: the picture scales and shifts every word's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmseq import Count, Dropout, Fused, Fusion, ImageStates, Sizes, TextStates


class FilmFusion(Fusion):
    """The picture scales and shifts every word's features, in residual blocks.

    v is the sentence's picture (B, E), x a word (D); each of the `blocks` has weights of its own
    and gives the next one its x (B, W, D)::

        gamma = 1 + W_g v + b_g                             D, one for all words of the sentence
        beta = W_b v + b_b                                  D
        r = ReLU(U x + c)
        F = norm(V r)                                       mean 0, variance 1 over the D features
        x' = r + ReLU(gamma * F + beta)

    Gives the last block's x', with `dropout` on it.

    A sentence without a picture is not modulated: gamma = 1 and beta = 0, whatever b_g and b_b say.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer",
    equations 1 and 2 and the residual block of their network. Other than there, the picture
    modulates the words, not the question the picture's regions; U and V see one word, not its
    neighbours, which the text encoder has read; and the features are normalised within a word,
    not over the batch, so that a sentence gives the same beside any others.
    """

    def __init__(self, sizes: Sizes, *, blocks: Count = 4, dropout: Dropout = 0.1) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FilmBlock(sizes.text, sizes.image) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.width = sizes.text

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None  # needs_images
        words, pictures, present = text.words, images.pooled, images.present
        for block in self.blocks:
            words = block(words, pictures, present)
        return Fused(self.dropout(words))


class FilmBlock(nn.Module):
    """One block: words (B, W, D), pictures (B, E) and who has one (B,) to words (B, W, D)."""

    def __init__(self, text: int, image: int) -> None:
        super().__init__()
        self.enter = nn.Linear(text, text)
        # FiLM's beta and gamma are the shift and the scale: neither V nor the norm has its own.
        self.features = nn.Linear(text, text, bias=False)
        self.norm = nn.LayerNorm(text, elementwise_affine=False)
        self.scale = nn.Linear(image, text)
        self.shift = nn.Linear(image, text)

    def forward(self, words: Tensor, pictures: Tensor, present: Tensor) -> Tensor:
        seen = present[:, None]
        gamma = 1 + self.scale(pictures) * seen
        beta = self.shift(pictures) * seen
        entered = torch.relu(self.enter(words))
        features: Tensor = self.norm(self.features(entered))
        return entered + torch.relu(gamma[:, None] * features + beta[:, None])
