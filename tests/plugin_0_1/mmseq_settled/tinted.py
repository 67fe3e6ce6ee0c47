"""The text encoder `tinted`: a transformer with the picture added to its states."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

import mmseq


class Tinted(mmseq.TransformerEncoder):
    """A pretrained transformer whose sub-word states have the projected picture added to them.

    `share`: what the picture is multiplied by at first; it trains, like the projection, at
    `picture_factor` times the rate. `#` is left out of words. The other options are those of
    `transformer`.
    """

    needs_images = True
    epochs = 6

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        share: mmseq.Share = 0.5,
        picture_factor: mmseq.Positive = 4.0,
        assets: Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(sizes, assets=assets, **options)
        if not sizes.image:
            raise mmseq.UserError("text encoder 'tinted' needs an image encoder.")
        self.picture_factor = picture_factor
        self.share = nn.Parameter(torch.tensor(float(share)))
        self.project = nn.Linear(sizes.image + sum(sizes.levels), self.width)

    def rate_factors(self):
        names = ["share", *(f"project.{name}" for name, _ in self.project.named_parameters())]
        return {**super().rate_factors(), **dict.fromkeys(names, self.picture_factor)}

    def embeddings(self):
        return super().embeddings()

    def encode(self, tokens):
        return super().encode([token.replace("#", "") or token for token in tokens])

    def length(self, encoded, words):
        return super().length(encoded, words) + 1

    def collate(self, encoded):
        return {**super().collate(encoded), "number": torch.tensor([[len(encoded)]])}

    def hidden(self, inputs, images):
        assert inputs.tensors["number"].item() == len(inputs.mask)
        levels = [level.mean(dim=(2, 3)) for level in images.levels]
        picture = self.project(torch.cat([images.pooled, *levels], dim=1))
        picture = picture * images.present[:, None]
        first = inputs.tensors["row"][:, 0].contiguous()
        windows = torch.arange(len(inputs.tensors["input_ids"]), device=first.device)
        sentence = torch.searchsorted(first, windows, right=True) - 1
        return super().hidden(inputs, images) + self.share * picture[sentence][:, None]

    def forward(self, inputs, images):
        states = super().forward(inputs, images)
        return mmseq.TextStates(states.words, inputs.mask, states.vector, states.parts)

    def save_assets(self, folder: Path) -> None:
        super().save_assets(folder)
        (folder / "levels.txt").write_text(f"{self.project.in_features} numbers a picture\n")
