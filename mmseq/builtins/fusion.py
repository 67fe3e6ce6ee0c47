"""The plainest fusions: none, concatenation and a gate over the pooled picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmseq.contracts.fusion import Fused, Fusion
from mmseq.contracts.states import ImageStates, Sizes, TextStates
from mmseq.registry.ranges import Count, Dropout


class NoFusion(Fusion):
    """Text only: F is the text encoder's output."""

    needs_images = False

    def __init__(self, sizes: Sizes, *, dropout: Dropout = 0.1) -> None:
        super().__init__()
        self.width = sizes.text
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        return Fused(self.dropout(text.words))


class PooledPicture(nn.Module):
    """The pooled picture as one vector a sentence, (B, width); 0 without a picture."""

    def __init__(self, image: int, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(image, width), nn.GELU(), nn.LayerNorm(width))

    def forward(self, images: ImageStates) -> Tensor:
        projected: Tensor = self.project(images.pooled)
        return projected * images.present[:, None]


class ConcatFusion(Fusion):
    """[word ; pooled picture]: the picture's projected vector is joined to every word.

    With x a word and v the projected picture, `width` wide (0 without a picture):
    F = [x ; GELU(U [x ; v] + c)].
    """

    def __init__(self, sizes: Sizes, *, width: Count = 256, dropout: Dropout = 0.1) -> None:
        super().__init__()
        self.picture = PooledPicture(sizes.image, width)
        self.mix = nn.Sequential(nn.Linear(sizes.text + width, sizes.text), nn.GELU())
        self.width = sizes.text * 2
        self.views = {"text": sizes.text, "image": width}
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None
        picture = self.picture(images)[:, None].expand(-1, text.words.shape[1], -1)
        # A linear head over both could only add what word and picture say: that a name means
        # another thing beside another picture needs one hidden layer.
        mixed = self.mix(torch.cat([text.words, picture], dim=-1))
        states = torch.cat([text.words, mixed], dim=-1)
        return Fused(self.dropout(states), {"text": text.words, "image": picture})


class GateFusion(Fusion):
    """A gate for every word decides how much of the pooled picture is joined to it.

    With x a word, v the projected picture (as wide as a word): g = sigmoid(W [x ; v] + b),
    h = GELU(U [x ; v] + c), F = [x ; g * h]. Without a picture the second half is 0.
    """

    def __init__(self, sizes: Sizes, *, dropout: Dropout = 0.1) -> None:
        super().__init__()
        self.picture = PooledPicture(sizes.image, sizes.text)
        self.gate = nn.Linear(2 * sizes.text, sizes.text)
        self.mix = nn.Sequential(nn.Linear(2 * sizes.text, sizes.text), nn.GELU())
        self.width = 2 * sizes.text
        self.views = {"text": sizes.text, "image": sizes.text}
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None
        picture = self.picture(images)[:, None].expand_as(text.words)
        both = torch.cat([text.words, picture], dim=-1)
        gated = torch.sigmoid(self.gate(both)) * self.mix(both) * images.present[:, None, None]
        states = torch.cat([text.words, gated], dim=-1)
        return Fused(self.dropout(states), {"text": text.words, "image": gated})
