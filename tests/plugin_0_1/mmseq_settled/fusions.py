"""Fusions: one with all there is, one without pictures, one that is wrong."""

import torch
from torch import nn

import mmseq


class Glance(mmseq.Fusion):
    """Each word attends to the regions, and to those near it on the page.

    `heads`: of the attention. `dropout`: on what it gives.
    """

    extras = {"boxes": mmseq.PerWord(4, 0, 1000)}

    def __init__(
        self, sizes: mmseq.Sizes, *, heads: mmseq.Count = 2, dropout: mmseq.Dropout = 0.1
    ) -> None:
        super().__init__()
        mmseq.check_heads("fusion 'glance'", heads, sizes.text)
        if not sizes.whole_page:
            raise mmseq.UserError("fusion 'glance' needs an image encoder that does not crop.")
        self.heads = heads
        self.width = 2 * sizes.text
        self.views = {"text": sizes.text, "image": sizes.text, "near": sizes.image}
        self.query = nn.Linear(sizes.text, sizes.text)
        self.key_value = nn.Linear(sizes.image, 2 * sizes.text)
        self.order = nn.Embedding(4, sizes.image)
        self.near = nn.Linear(sizes.image, sizes.text)
        self.whole = nn.Linear(sizes.sentence, sizes.text) if sizes.sentence else None
        parts = {f"of_{name}": nn.Linear(width, sizes.text) for name, width in sizes.parts.items()}
        self.parts = nn.ModuleDict(parts)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text, images):
        regions = images.regions + self.order(images.image_index.clamp(max=3))
        regions = regions * images.mask[..., None]
        key, value = self.key_value(regions).chunk(2, dim=2)
        query, key, value = (self.split(x) for x in (self.query(text.words), key, value))
        seen = mmseq.attend(query, key, value, images.mask).transpose(1, 2).flatten(2)
        words, tiles = middle(text.extras["boxes"] / 1000), middle(images.grid)
        scores = -10 * (words[:, :, None] - tiles[:, None]).square().sum(dim=3)
        near = mmseq.masked_softmax(scores, images.mask[:, None]) @ regions
        mixed = seen + self.near(near) + self.near(images.pooled)[:, None]
        mixed = mixed * images.present[:, None, None]
        own = text.words
        for name, part in text.parts.items():
            own = own + self.parts[f"of_{name}"](part)
        if self.whole is not None and text.vector is not None:
            own = own + self.whole(text.vector)[:, None]
        states = self.dropout(torch.cat([own, mixed], dim=2))
        return mmseq.Fused(states, {"text": own, "image": mixed, "near": near})

    def split(self, vectors):
        return vectors.unflatten(2, (self.heads, -1)).transpose(1, 2)


def middle(boxes):
    return torch.stack([boxes[..., 0] + boxes[..., 2], boxes[..., 1] + boxes[..., 3]], dim=-1) / 2


class Plain(mmseq.Fusion):
    """One hidden layer over the words; pictures are used if they are there."""

    needs_images = False

    def __init__(self, sizes: mmseq.Sizes, *, width: mmseq.Count = 24) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Linear(sizes.text, width)
        self.picture = nn.Linear(sizes.image, width, bias=False) if sizes.image else None

    def forward(self, text, images):
        states = self.layer(text.words)
        if self.picture is not None and images is not None:
            states = states + self.picture(images.pooled)[:, None]
        return mmseq.Fused(torch.tanh(states))


class Leaky(Plain):
    """Plain, less the mean of all words of the row: padding has a share in it."""

    def forward(self, text, images):
        states = super().forward(text, images).states
        return mmseq.Fused(states - states.mean(dim=1, keepdim=True))
